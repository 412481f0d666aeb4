"""Which files of a repository are the model that is asked for."""

from __future__ import annotations

import pytest

from kronk.shared.errors import NotFound
from kronk.shared.models import choose
from kronk.shared.models.choose import RemoteFile

REPO = "o/m-GGUF"


def files(*paths: str) -> list[RemoteFile]:
    return [RemoteFile(path, 7, "0" * 64) for path in paths]


def names(chosen: list[choose.Chosen]) -> list[str]:
    return [one.file.path for one in chosen]


PLAIN = ("m-F16.gguf", "m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "README.md", "config.json")
DYNAMIC = ("m-Q4_K_M.gguf", "m-UD-Q4_K_XL.gguf", "m-UD-IQ1_S.gguf", "m-IQ4_XS.gguf")
FOLDERS = (
    "Q4_K_M/m-Q4_K_M-00001-of-00003.gguf",
    "Q4_K_M/m-Q4_K_M-00002-of-00003.gguf",
    "Q4_K_M/m-Q4_K_M-00003-of-00003.gguf",
    "BF16/m-BF16-00001-of-00002.gguf",
    "BF16/m-BF16-00002-of-00002.gguf",
    "Q8_0/weights.gguf",
    "mmproj-F16.gguf",
)

CHOICES: dict[str, tuple[tuple[str, ...], str | None, list[str]]] = {
    "the default is Q4_K_M": (PLAIN, None, ["m-Q4_K_M.gguf"]),
    "then Q8_0": (("m-F16.gguf", "m-Q8_0.gguf", "m-Q5_K_M.gguf"), None, ["m-Q8_0.gguf"]),
    "then a dynamic Q4": (("m-UD-Q4_K_XL.gguf", "m-Q5_K_M.gguf"), None, ["m-UD-Q4_K_XL.gguf"]),
    "then what there is": (("m-IQ3_M.gguf", "m-TQ1_0.gguf"), None, ["m-IQ3_M.gguf"]),
    "one file without a quant": (("model.gguf",), None, ["model.gguf"]),
    "mxfp4": (("gpt-oss-20b-mxfp4.gguf",), None, ["gpt-oss-20b-mxfp4.gguf"]),
    "asked in capitals": (("m.q4_0.gguf", "m.q8_0.gguf"), "Q8_0", ["m.q8_0.gguf"]),
    "asked in small letters": (PLAIN, "q2_k", ["m-Q2_K.gguf"]),
    "f16 is not bf16": (("m-bf16.gguf", "m-f16.gguf"), "F16", ["m-f16.gguf"]),
    "a dynamic one by its whole name": (DYNAMIC, "UD-Q4_K_XL", ["m-UD-Q4_K_XL.gguf"]),
    "a dynamic one by its end": (DYNAMIC, "Q4_K_XL", ["m-UD-Q4_K_XL.gguf"]),
    "the plain one comes first": (
        ("m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"),
        "Q4_K_M",
        ["m-Q4_K_M.gguf"],
    ),
    "IQ4_XS": (DYNAMIC, "iq4_xs", ["m-IQ4_XS.gguf"]),
    "a quant that nobody knows yet": (("m-Z9_Q.gguf", "m-Q8_0.gguf"), "z9_q", ["m-Z9_Q.gguf"]),
    "shards and the projector above": (
        FOLDERS,
        "Q4_K_M",
        [*FOLDERS[:3], "mmproj-F16.gguf"],
    ),
    "two shards": (FOLDERS, "bf16", [*FOLDERS[3:5], "mmproj-F16.gguf"]),
    "a folder's name": (FOLDERS, "q8_0", ["Q8_0/weights.gguf", "mmproj-F16.gguf"]),
    "the best projector": (
        ("m-Q4_K_M.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"),
        None,
        ["m-Q4_K_M.gguf", "mmproj-F16.gguf"],
    ),
    "bf16 before q8_0": (
        ("m-Q4_K_M.gguf", "mmproj-m-Q8_0.gguf", "mmproj-m-bf16.gguf"),
        None,
        ["m-Q4_K_M.gguf", "mmproj-m-bf16.gguf"],
    ),
    "q8_0 before f32": (
        ("m-Q4_K_M.gguf", "m.mmproj-Q8_0.gguf", "m.mmproj-f32.gguf"),
        None,
        ["m-Q4_K_M.gguf", "m.mmproj-Q8_0.gguf"],
    ),
    "not the projector of a sibling": (
        ("a/m-Q4_K_M.gguf", "b/n-Q8_0.gguf", "b/mmproj-F16.gguf"),
        "Q4_K_M",
        ["a/m-Q4_K_M.gguf"],
    ),
    "the model's own projector": (
        ("a-Q4_K_M.gguf", "b-Q4_K_M.gguf", "mmproj-a-F16.gguf", "mmproj-b-F16.gguf"),
        None,
        ["a-Q4_K_M.gguf", "mmproj-a-F16.gguf"],
    ),
    "the repository's own model": (
        ("a-Q4_K_M.gguf", "m-Q4_K_M.gguf", "m-extra-Q4_K_M.gguf"),
        None,
        ["m-Q4_K_M.gguf"],
    ),
    "a draft comes along in the same quant": (
        ("m-Q4_K_M.gguf", "m-draft-Q8_0.gguf", "m-draft-Q4_K_M.gguf"),
        None,
        ["m-Q4_K_M.gguf", "m-draft-Q4_K_M.gguf"],
    ),
    "a draft after the projector": (
        ("m-Q4_K_M.gguf", "mtp-m-Q8_0.gguf", "mtp-m-F16.gguf", "mmproj-F16.gguf"),
        None,
        ["m-Q4_K_M.gguf", "mmproj-F16.gguf", "mtp-m-Q8_0.gguf"],
    ),
    "a repository of drafts": (
        ("m-DRAFT-0.6B-Q4_0.gguf", "m-DRAFT-0.6B-Q8_0.gguf"),
        "q4_0",
        ["m-DRAFT-0.6B-Q4_0.gguf"],
    ),
    "no statistics, adapters or vocabularies": (
        ("imatrix-Q4_K_M.gguf", "m-lora-Q4_K_M.gguf", "ggml-vocab-q4_k_m.gguf", "m-Q8_0.gguf"),
        None,
        ["m-Q8_0.gguf"],
    ),
}


@pytest.mark.parametrize(("paths", "quant", "expected"), CHOICES.values(), ids=CHOICES)
def test_the_files_of_the_model_are_chosen(
    paths: tuple[str, ...], quant: str | None, expected: list[str]
) -> None:
    chosen = choose.by_quant(files(*paths), quant, REPO)
    assert names(chosen) == expected
    # In whatever order the hub lists them.
    assert names(choose.by_quant(files(*reversed(paths)), quant, REPO)) == expected


def test_roles_are_told_in_order() -> None:
    paths = (*FOLDERS, "draft/m-draft-Q8_0.gguf")
    chosen = choose.by_quant(files(*paths), "Q4_K_M", REPO)
    assert [one.role for one in chosen] == ["model", "shard", "shard", "projector", "draft"]


@pytest.mark.parametrize(
    ("paths", "quant", "complaint"),
    [
        (PLAIN, "Q3_K_S", "o/m-GGUF has no Q3_K_S; it has F16, Q2_K, Q4_K_M, Q8_0"),
        (PLAIN, "Q4", "has no Q4; it has F16"),
        (PLAIN, "4_K_M", "has no 4_K_M; it has"),
        (("model.safetensors",), None, "o/m-GGUF has no GGUF files"),
        ((), None, "o/m-GGUF has no GGUF files"),
        (("mmproj-F16.gguf",), None, "has no model, only mmproj-F16.gguf"),
        (("imatrix.gguf",), None, "has no model, only imatrix.gguf"),
        (("m-Q4_0-00001-of-00002.gguf",), None, "lacks number 2"),
        (("m-Q4_0-00002-of-00002.gguf",), None, "has no model"),
    ],
)
def test_what_there_is_instead_is_said(
    paths: tuple[str, ...], quant: str | None, complaint: str
) -> None:
    with pytest.raises(NotFound) as caught:
        choose.by_quant(files(*paths), quant, REPO)
    assert complaint in caught.value.message


def test_a_long_list_is_cut() -> None:
    paths = [f"m{at:03d}.gguf" for at in range(500)]
    with pytest.raises(NotFound) as caught:
        choose.by_quant(files(*paths), "Q4_K_M", REPO)
    assert "and 460 more" in caught.value.message


PATHS: dict[str, tuple[str, list[str]]] = {
    "a shard brings the others": (FOLDERS[0], [*FOLDERS[:3], "mmproj-F16.gguf"]),
    "one file": ("Q8_0/weights.gguf", ["Q8_0/weights.gguf", "mmproj-F16.gguf"]),
    "a projector comes alone": ("mmproj-F16.gguf", ["mmproj-F16.gguf"]),
}


@pytest.mark.parametrize(("path", "expected"), PATHS.values(), ids=PATHS)
def test_a_file_brings_what_belongs_to_it(path: str, expected: list[str]) -> None:
    chosen = choose.by_path(files(*FOLDERS), path, REPO)
    assert names(chosen) == expected


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("weights.gguf", "no file weights.gguf; its GGUF files are Q8_0/weights.gguf"),
        ("x.gguf", "its GGUF files are BF16/m-BF16-00001-of-00002.gguf, "),
        (FOLDERS[1], "is part 2 of a split model; name the first part"),
    ],
)
def test_a_file_that_is_none_is_said(path: str, complaint: str) -> None:
    with pytest.raises(NotFound) as caught:
        choose.by_path(files(*FOLDERS), path, REPO)
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (PLAIN, ["F16", "Q2_K", "Q4_K_M", "Q8_0"]),
        (FOLDERS, ["Q8_0", "BF16", "Q4_K_M"]),
        (("model.gguf",), ["model"]),
        # Its second part is missing.
        (("m-Q8_0-00001-of-00002.gguf", "m-Q4_0.gguf"), ["Q4_0"]),
        (("README.md",), []),
    ],
)
def test_a_repository_offers_each_whole_model_the_smallest_first(
    paths: tuple[str, ...], expected: list[str]
) -> None:
    offers = choose.offers(files(*paths), REPO)
    assert [offer.quant for offer in offers] == expected
    assert all(offer.size_bytes == 7 * len(offer.chosen) for offer in offers)


def test_the_size_of_an_offer_is_unknown_where_one_of_its_files_is() -> None:
    (offer,) = choose.offers([RemoteFile("m-Q8_0.gguf"), RemoteFile("mmproj-F16.gguf", 7)], REPO)
    assert offer.size_bytes is None
