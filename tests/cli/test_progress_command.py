"""``normlab progress`` shows what the checks noted."""

from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.exercises import check


def test_it_shows_what_a_check_noted(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMLAB_PROGRESS", str(tmp_path / "progress.json"))
    before = CliRunner().invoke(normlab, ["progress"]).output
    check("batch_norm_forward", lambda x, weight, bias, eps: weight * (x - x.mean(0)) + bias)
    after = CliRunner().invoke(normlab, ["progress"]).output
    line = next(line for line in after.splitlines() if " batch_norm_forward " in line)
    assert line.split()[0] == "begun"
    assert int(line.split("/")[0].split()[-1]) > 0
    assert before != after
    assert before.splitlines()[1].startswith("Exercises: 0 of ")
