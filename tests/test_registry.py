import sys

import pytest

from dynsearch.errors import InputError, PlanError
from dynsearch.registry import Registry


@pytest.fixture
def planets():
    return Registry("planet", {"pi": "math:pi", "heavy": "planets_module:HEAVY", "own": 3}, where="sky")


def test_a_shipped_value_is_imported_when_it_is_asked_for(planets, tmp_path, monkeypatch):
    (tmp_path / "planets_module.py").write_text("HEAVY = object()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "heavy" in planets
    assert list(planets) == ["pi", "heavy", "own"]
    assert "planets_module" not in sys.modules
    value = planets["heavy"]
    assert value is sys.modules.pop("planets_module").HEAVY
    assert planets["heavy"] is value, "imported once"
    assert (planets["own"], len(planets)) == (3, 3)


def test_a_users_value_is_registered_by_call_or_as_a_decorator(planets):
    assert planets.register("red", 4) == 4

    @planets.register("blue")
    def blue():
        return "blue"

    assert planets["red"] == 4
    assert planets["blue"] is blue
    assert repr(planets) == "Registry(planet: pi, heavy, own, red, blue)"


def test_the_same_value_may_be_registered_again_and_another_not(planets):
    source = "def red(): ...\n"
    first, again, other = ({"__name__": name} for name in ("plugin", "plugin", "elsewhere"))
    for scope in (first, again, other):
        exec(source, scope)
    planets.register("red", first["red"])
    planets.register("red", first["red"])
    planets.register("red", again["red"])
    assert planets["red"] is again["red"]
    with pytest.raises(InputError, match="there is a planet 'red' already") as caught:
        planets.register("red", other["red"])
    assert caught.value.hint == "Register it under another name"
    with pytest.raises(InputError, match="already"):
        planets.register("own", 5)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", None, 3])
def test_a_name_is_a_short_text(planets, name):
    with pytest.raises(InputError, match="a planet needs a name"):
        planets.register(name, 1)


def test_an_unknown_name_is_refused_with_those_that_are_known(planets):
    for ask in (planets.__getitem__, planets.checked):
        with pytest.raises(InputError, match="sky: there is no planet 'haevy'") as caught:
            ask("haevy")
        assert caught.value.hint == "Did you mean heavy? Known: pi, heavy, own"
    assert planets.checked("pi") == "pi"
    assert planets["pi"] == 3.141592653589793
    with pytest.raises(PlanError, match="there is no head 7"):
        Registry("head", {}, error=PlanError).checked(7)
