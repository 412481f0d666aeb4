"""What a changed configuration makes of each model: the table, and the fleet that goes by it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from kronk.shared.config import in_force
from kronk.shared.errors import KronkError, ModelFailed, NotFound, ServerError
from kronk.shared.load_spec import is_same_load, load_spec
from kronk.shared.model_config import ModelConfig
from kronk.shared.wire.loading import Fitted, LoadSpec, ResidencySpec
from kronk.supervisor.actions import Action, Grant, Refuse, Resolve, SendLoad, StopWorker
from kronk.supervisor.cause import Exit
from kronk.supervisor.configuration import Configuration, Models
from kronk.supervisor.fleet import Fleet, Policy
from kronk.supervisor.leases import Claim
from kronk.supervisor.lifecycle import State
from kronk.supervisor.reload import Found, Step, next_step

T = TypeVar("T")

FITTED = Fitted(8192, 2, 1, 2, 100, 1000, "llama", "model")
GONE = NotFound("no such model")


def spec(model: str, window: int = 1024) -> LoadSpec:
    return load_spec(model, Path(f"/models/{model}.gguf"), ModelConfig(context_window=window))


@pytest.mark.parametrize(
    ("state", "leases", "before", "step"),
    [
        (State.ABSENT, (), (), Step.ADOPT),
        (State.BACKOFF, (), (), Step.ADOPT),
        (State.FAILED, (), (), Step.ADOPT),
        (State.LOADING, (), (), Step.UNLOAD),
        (State.READY, (), (), Step.UNLOAD),
        (State.READY, (), (1, 2), Step.UNLOAD),
        (State.READY, (1, 2), (1, 2), Step.SERVE),
        (State.READY, (2, 3), (1, 2), Step.SERVE),
        # Only requests that came later are left: they end, and no more are taken.
        (State.READY, (3, 4), (1, 2), Step.CLOSE),
        (State.READY, (3,), (), Step.CLOSE),
        (State.DRAINING, (), (), Step.WAIT),
        (State.DRAINING, (1,), (1,), Step.WAIT),
    ],
)
def test_where_a_model_that_is_to_change_goes_from_here(
    state: State, leases: tuple[int, ...], before: tuple[int, ...], step: Step
) -> None:
    assert next_step(state, set(leases), set(before)) is step


def test_every_state_has_a_step() -> None:
    for state in State:
        assert next_step(state, {1}, {1}) in Step


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (spec("a"), True),
        (spec("a", 2048), False),
        (replace(spec("a"), extra_buffers=False), True),
        (replace(spec("a"), tool_parser="hermes"), False),
        (replace(spec("a"), path="/models/b.gguf"), False),
    ],
)
def test_a_load_is_another_when_a_process_could_tell(other: LoadSpec, same: bool) -> None:
    assert is_same_load(spec("a"), other) is same


class House:
    """A fleet, and everything it has asked for."""

    def __init__(self) -> None:
        self.done: list[Action] = []
        self.specs: dict[str, LoadSpec] = {}
        self.preload: frozenset[str] = frozenset()
        self.fleet = Fleet(Policy(3, 300.0, False), itertools.count(1).__next__)
        self.lease = itertools.count(1)

    def do(self, event: str, *arguments: Any) -> None:
        self.done += getattr(self.fleet, event)(0.0, *arguments) or []

    def all(self, kind: type[T]) -> list[T]:
        return [action for action in self.done if isinstance(action, kind)]

    def ask(self, name: str) -> int:
        lease = next(self.lease)
        before = len(self.all(Resolve))
        self.do("lease_requested", Claim(lease), name)
        if len(self.all(Resolve)) > before:
            found = self.specs.get(name)
            if found is None:
                self.do("unresolved", name, GONE)
            else:
                self.do("resolved", name, found)
        return lease

    def back(self, lease: int) -> None:
        self.do("lease_returned", lease)

    def ready(self, model: str) -> int:
        generation = self.generation(model)
        self.do("hello", generation)
        self.do("ready", generation, FITTED)
        return generation

    def load(self, name: str) -> int:
        self.specs.setdefault(name, spec(name))
        lease = self.ask(name)
        generation = self.ready(self.specs[name].model)
        self.back(lease)
        return generation

    def reload(self, **specs: LoadSpec | KronkError) -> frozenset[str]:
        """The configuration says this now, and of all others what it said."""
        self.specs |= {name: s for name, s in specs.items() if isinstance(s, LoadSpec)}
        for name, found in specs.items():
            if not isinstance(found, LoadSpec):
                del self.specs[name]
        everything: Any = {model: self.specs.get(model, GONE) for model in self.fleet.view.known}
        found = Found(frozenset(specs), everything, self.preload)
        changed, actions = self.fleet.reconfigured(0.0, found)
        self.done += actions
        return frozenset(changed)

    def exit(self, generation: int, code: int = 0) -> None:
        self.do("exited", generation, Exit(code, ()))

    def state(self, model: str) -> str:
        rows = self.fleet.view.status(0.0, {})
        return next((row.state for row in rows if row.model == model), "absent")

    def generation(self, model: str) -> int:
        (row,) = [row for row in self.fleet.view.status(0.0, {}) if row.model == model]
        assert row.generation is not None
        return row.generation

    def granted(self) -> dict[int, int | None]:
        return {grant.lease: grant.generation for grant in self.all(Grant)}

    def refused(self) -> list[int]:
        return [refusal.lease for refusal in self.all(Refuse)]

    def stopped(self) -> list[int]:
        return [stop.generation for stop in self.all(StopWorker)]


def test_an_idle_model_that_changes_is_unloaded_and_loaded_anew_when_wanted() -> None:
    house = House()
    old, same = house.load("a"), house.load("b")
    assert house.reload(a=spec("a", 2048)) == {"a"}
    assert house.stopped() == [old]
    assert house.fleet.view.outdated == frozenset()
    house.exit(old)
    assert house.state("a") == "absent"
    new = house.load("a")
    assert house.all(SendLoad)[-1] == SendLoad(new, spec("a", 2048))
    # The other one was not touched.
    assert house.generation("b") == same


def test_nothing_changed_does_nothing() -> None:
    house = House()
    house.load("a")
    running = house.ask("a")
    before = len(house.done)
    assert house.reload() == frozenset()
    assert house.done[before:] == []
    assert house.granted()[running] == house.generation("a")


def test_a_busy_model_serves_on_with_the_old_one_until_its_requests_have_ended() -> None:
    house = House()
    old = house.load("a")
    running = house.ask("a")
    assert house.reload(a=spec("a", 2048)) == {"a"}
    assert house.fleet.view.outdated == {"a"}
    during = house.ask("a")
    assert house.granted()[during] == old
    house.back(during)
    assert house.stopped() == []
    house.back(running)
    assert house.stopped() == [old]
    house.exit(old)
    assert house.load("a") != old


def test_a_model_that_is_never_idle_is_replaced_too_and_nobody_is_refused() -> None:
    house = House()
    old = house.load("a")
    running = house.ask("a")
    house.reload(a=spec("a", 2048))
    during = house.ask("a")
    house.back(running)
    # Those of before are gone: who comes now waits for the next process.
    waiting = [house.ask("a") for _ in range(10)]
    assert house.stopped() == []
    assert not set(waiting) & house.granted().keys()
    house.back(during)
    assert house.stopped() == [old]
    house.exit(old)
    new = house.ready("a")
    assert [house.granted().get(lease) for lease in waiting[:3]] == [new] * 3
    assert house.all(SendLoad)[-1] == SendLoad(new, spec("a", 2048))
    assert house.refused() == []


def test_a_load_begins_anew_with_the_new_configuration_and_keeps_its_waiters() -> None:
    house = House()
    house.specs["a"] = spec("a")
    lease = house.ask("a")
    old = house.generation("a")
    house.do("hello", old)
    assert house.reload(a=spec("a", 2048)) == {"a"}
    assert house.stopped() == [old]
    house.exit(old)
    new = house.ready("a")
    assert house.granted() == {lease: new}
    assert house.all(SendLoad)[-1] == SendLoad(new, spec("a", 2048))


def test_a_change_that_is_taken_back_before_it_happened_does_not_happen() -> None:
    house = House()
    old = house.load("a")
    running = house.ask("a")
    house.reload(a=spec("a", 2048))
    house.reload(a=spec("a"))
    assert house.fleet.view.outdated == frozenset()
    house.back(running)
    assert house.stopped() == []
    assert house.generation("a") == old


def test_the_last_of_several_changes_counts() -> None:
    house = House()
    old = house.load("a")
    running = house.ask("a")
    house.reload(a=spec("a", 2048))
    house.reload(a=spec("a", 4096))
    house.back(running)
    house.exit(old)
    new = house.load("a")
    assert house.all(SendLoad)[-1] == SendLoad(new, spec("a", 4096))


def test_a_model_that_is_none_any_more_serves_its_requests_and_takes_no_new_ones() -> None:
    house = House()
    old = house.load("a")
    running = house.ask("a")
    assert house.reload(a=GONE) == {"a"}
    late = house.ask("a")
    assert house.refused() == [late]
    house.back(running)
    assert house.stopped() == [old]
    house.exit(old)
    assert house.fleet.view.known == frozenset()
    assert house.ask("a") in house.refused()


def test_who_waits_for_a_model_that_is_none_any_more_is_told() -> None:
    house = House()
    house.specs["a"] = spec("a")
    lease = house.ask("a")
    house.reload(a=GONE)
    house.exit(house.stopped()[-1])
    assert house.refused() == [lease]
    assert house.fleet.view.known == frozenset()


def test_a_crash_before_the_change_is_the_change() -> None:
    house = House()
    old = house.load("a")
    house.ask("a")
    house.reload(a=spec("a", 2048))
    house.exit(old, -9)
    assert house.fleet.view.outdated == frozenset()
    new = house.load("a")
    assert house.all(SendLoad)[-1] == SendLoad(new, spec("a", 2048))


def test_a_model_that_failed_is_tried_at_once_with_its_new_configuration() -> None:
    house = House()
    house.exit(house.load("a"), -11)
    assert house.state("a") == "backoff"
    house.reload(a=spec("a", 2048))
    assert house.state("a") == "absent"
    house.ask("a")
    assert house.state("a") == "loading"


def test_a_name_may_mean_another_model_after_a_reload() -> None:
    house = House()
    house.specs |= {"best": spec("a"), "a": spec("a"), "b": spec("b")}
    house.back(house.ask("best"))
    house.ready("a")
    house.reload(best=spec("b"))
    house.back(house.ask("best"))
    assert house.state("b") == "loading"


def pinned(model: str, window: int = 1024) -> LoadSpec:
    return replace(spec(model, window), residency=ResidencySpec(pinned=True))


@pytest.mark.parametrize(
    ("new", "preload", "loaded"),
    [
        (spec("a", 2048), frozenset(), "absent"),
        (pinned("a", 2048), frozenset(), "loading"),
        (spec("a", 2048), frozenset({"a"}), "loading"),
    ],
)
def test_what_is_to_stay_or_to_be_there_from_the_start_is_loaded_again_at_once(
    new: LoadSpec, preload: frozenset[str], loaded: str
) -> None:
    house = House()
    old = house.load("a")
    running = house.ask("a")
    house.preload = preload
    house.reload(a=new)
    house.back(running)
    house.exit(old)
    assert house.state("a") == loaded
    if loaded == "loading":
        again = house.ready("a")
        assert house.all(SendLoad)[-1] == SendLoad(again, new)


def test_how_long_a_model_stays_is_changed_without_a_new_load() -> None:
    house = House()
    old = house.load("a")
    assert house.reload(a=pinned("a")) == frozenset()
    (row,) = house.fleet.view.status(0.0, {})
    assert (row.generation, row.pinned) == (old, True)
    assert house.stopped() == []


def test_a_model_that_is_to_be_preloaded_from_now_on_is_loaded() -> None:
    house = House()
    house.specs["b"] = spec("b")
    house.preload = frozenset({"b"})
    house.reload(b=spec("b"))
    assert house.all(Resolve)[-1] == Resolve("b")
    house.do("resolved", "b", spec("b"))
    assert house.state("b") == "loading"


def test_a_load_that_nobody_waits_for_any_more_goes_on_with_the_new_configuration() -> None:
    house = House()
    house.specs["a"] = spec("a")
    house.back(house.ask("a"))
    old = house.generation("a")
    house.do("hello", old)
    house.reload(a=spec("a", 2048))
    house.exit(old)
    assert house.state("a") == "loading"


def test_a_server_that_stops_serves_who_waits_and_loads_nothing_for_its_own_sake() -> None:
    house = House()
    old = house.load("a")
    running = house.ask("a")
    house.reload(a=pinned("a", 2048))
    house.do("drain")
    house.back(running)
    house.exit(old)
    assert house.state("a") == "absent"


# The file.


def configuration(folder: Path, text: str) -> Configuration:
    (folder / "models.yaml").write_text(text)

    def look_up(models: Models, name: str) -> LoadSpec:
        if name == "torn":
            raise ModelFailed("torn: its file ends too soon")
        if name == "broken" and "C" in models:
            raise ModelFailed("broken: its draft_model is not there")
        if name not in models:
            raise NotFound(name)
        return load_spec(name, Path("/x"), models[name])

    found = Configuration(folder / "models.yaml", folder / "in-force.json", look_up)
    found.take()
    return found


def kept(folder: Path) -> str:
    """The text that the gateway reads."""
    text, _ = in_force.decode((folder / "in-force.json").read_bytes())
    return text


def test_names_that_no_model_has_are_told_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: {A: {}, typo: {}}")
    config = Configuration(
        tmp_path / "models.yaml",
        tmp_path / "in-force.json",
        lambda models, name: load_spec(name, Path("/x"), models[name]),
        unused=lambda models: [name for name in models if name != "A"],
    )
    config.take()
    with capture_logs() as lines:
        config.review()
    assert [(line["log_level"], line["models"]) for line in lines] == [("warning", ["typo"])]


A = "models: {A: {context_window: 1024}, broken: {}}"


def test_a_file_that_is_taken_again_says_what_has_changed(tmp_path: Path) -> None:
    config = configuration(tmp_path, "models: {A: {n_batch: 512}, B: {}, C: {}}")
    (tmp_path / "models.yaml").write_text("models: {A: {n_batch: 1024}, B: {}, D: {}}")
    found = config.retake(["A", "C"])
    assert found.changed == {"A", "C", "D"}
    assert isinstance(found.specs["C"], NotFound)
    assert found.specs["A"] == config.resolve("A")
    assert config.resolve("D").model == "D"
    assert kept(tmp_path) == (tmp_path / "models.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "known", "words"),
    [
        ("models: {A: {n_bath: 1}}", ["A"], "models.A.n_bath: no such key"),
        ("models: [", ["A"], "not YAML"),
        # What a file is while an editor writes it.
        ("", ["A"], "the file is empty"),
        ("models: {broken: {n_batch: 512}, C: {}}", ["broken"], "its draft_model is not there"),
    ],
)
def test_what_is_wrong_with_a_file_leaves_the_old_one_in_force(
    text: str, known: list[str], words: str, tmp_path: Path
) -> None:
    config = configuration(tmp_path, A)
    (tmp_path / "models.yaml").write_text(text)
    with pytest.raises(KronkError, match=words):
        config.retake(known, known)
    assert config.resolve("A").context.window == 1024
    assert kept(tmp_path) == A


@pytest.mark.parametrize(
    ("known", "loaded"), [(["A", "torn"], ["A", "torn"]), (["A", "broken"], ["A"])]
)
def test_a_models_own_file_is_no_reason_to_refuse_a_configuration(
    known: list[str], loaded: list[str], tmp_path: Path
) -> None:
    config = configuration(tmp_path, A)
    (tmp_path / "models.yaml").write_text("models: {A: {context_window: 2048}, broken: {}, C: {}}")
    assert config.retake(known, loaded).specs == {"A": config.resolve("A")}
    assert config.resolve("A").context.window == 2048


def test_a_disk_that_takes_no_copy_of_the_file_is_a_reason_to_refuse_it(tmp_path: Path) -> None:
    config = configuration(tmp_path, A)
    (tmp_path / "in-force.json").unlink()
    (tmp_path / "in-force.json").mkdir()
    (tmp_path / "models.yaml").write_text("models: {A: {context_window: 2048}}")
    with pytest.raises(ServerError, match=r"cannot write .*in-force\.json"):
        config.retake(["A"])
    assert config.resolve("A").context.window == 1024
