"""Which models there are, and how they are named."""

from __future__ import annotations

import openai
import pytest

from harness.counting_model import counted
from harness.server import Server, install

IDS = {"Tiny", "Tiny/FAST", "Pair", "Count", "Slow", "north/twins/Twin", "south/twins/Twin"}


def test_the_list_has_every_model_by_its_id(house: Server) -> None:
    models = list(house.openai().models.list())
    assert {model.id for model in models} >= IDS
    assert {(model.object, model.owned_by) for model in models} == {("model", "kronk")}
    assert all(model.created > 0 for model in models)


@pytest.mark.parametrize("model", sorted(IDS))
def test_each_model_can_be_asked_for_slashes_and_all(house: Server, model: str) -> None:
    # The client escapes slashes, other people's do not.
    assert house.openai().models.retrieve(model).id == model
    assert house.get(f"/v1/models/{model}")["id"] == model


@pytest.mark.parametrize("model", ["north/twins/Twin", "south/twins/Twin", "Tiny/FAST"])
def test_an_id_with_slashes_is_served(house: Server, model: str) -> None:
    answer = house.chat(model, "from 7", max_tokens=3).json()
    assert answer["model"] == model
    row = house.wait_for_row(model, state="ready")
    assert (row["n_ctx"], row["slots_total"]) == ((512, 2) if "FAST" in model else (1024, 8))


def test_a_variant_is_a_process_of_its_own(house: Server) -> None:
    for model in ("Tiny", "Tiny/FAST"):
        assert house.chat(model, "Hello!", max_tokens=1).status_code == 200
    plain, fast = house.row("Tiny"), house.row("Tiny/FAST")
    assert plain is not None
    assert fast is not None
    assert plain["pid"] != fast["pid"]


def test_a_name_two_files_share_is_refused_with_the_ids_to_choose_from(house: Server) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        house.openai().models.retrieve("Twin")
    for model in ("north/twins/Twin", "south/twins/Twin"):
        assert model in refused.value.message
    answer = house.chat("Twin", "from 7")
    assert answer.status_code == 404
    assert "north/twins/Twin" in answer.json()["error"]["message"]


def test_an_unknown_model_is_refused_with_what_it_may_have_meant(house: Server) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        house.openai().chat.completions.create(
            model="Cuont", messages=[{"role": "user", "content": "from 7"}]
        )
    assert refused.value.code == "not_found"
    assert refused.value.param == "model"
    assert "did you mean Count" in refused.value.message


def test_a_file_copied_by_hand_is_found_at_once(house: Server) -> None:
    tiny = house.base / "models" / "test" / "tiny" / "Count.gguf"
    install(house.base, {"by/hand/Fresh.gguf": tiny})
    assert "Fresh" in {model.id for model in house.openai().models.list()}
    assert house.text("Fresh", "from 7", max_tokens=2) == counted(7, 2)


def test_health_is_told(house: Server) -> None:
    assert house.get("/v1/liveness")["status"] == "up"
    assert house.get("/v1/readiness") == {"status": "ready"}
