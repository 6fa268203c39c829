"""Each norm has one colour, marker, dash and printed name."""

import itertools
import tomllib
from importlib import resources

from normlab.plots.looks import looks, of_norm

TABLES = tomllib.loads((resources.files("normlab.plots") / "looks.toml").read_text("utf-8"))


def test_a_norm_has_one_look_under_each_of_its_names():
    keys = [key for table in TABLES.values() for key in table.get("keys", ())]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set(TABLES)
    for name, table in TABLES.items():
        assert {of_norm(key) for key in (name, *table.get("keys", ()))} == {of_norm(name)}
        assert of_norm(name).name == name


def test_norms_differ_in_colour_and_all_differ_in_a_second_cue():
    own = [table["colour"] for table in TABLES.values() if "colour" in table]
    assert len(set(own)) == len(own)
    relatives = {"BatchNorm without affine", "BatchNorm, first weight 0.1", "noisy BatchNorm"}
    families = [{"no norm", "no norm, He's weights"}, *({"BatchNorm", one} for one in relatives)]
    alone = {name for name, table in TABLES.items() if "colour" in table}
    for names in (alone, *families):
        for one, other in itertools.combinations(looks(names).values(), 2):
            assert one.marker != other.marker, (one, other)


def test_a_norm_keeps_its_look_in_any_company():
    company = ["layer 1", "momentum 0.1", "rms", "batch", "layer", "group", "instance", "none"]
    drawn = looks(company)
    assert list(drawn) == company
    for norm in company[2:]:
        assert drawn[norm] == looks([norm])[norm]


def test_what_is_no_norm_gets_what_is_free_in_order():
    drawn = looks(["layer 1", "layer 2", "BatchNorm"])
    assert len({look.colour for look in drawn.values()}) == 3
    assert looks(["layer 1"])["layer 1"].colour == drawn["layer 1"].colour
    assert len(looks([f"layer {number}" for number in range(9)] + list(TABLES))) == 9 + len(TABLES)


def test_more_may_follow_the_name_of_a_norm():
    assert of_norm("GroupNorm, 2 groups") == of_norm("group")._replace(name="GroupNorm, 2 groups")
    assert of_norm("LayerNorm over C\n20 means").colour == of_norm("layer").colour
    assert of_norm("BatchNorm2d") is None
    assert of_norm("layer 1") is None
