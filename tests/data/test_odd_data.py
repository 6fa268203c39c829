"""Datasets that are not what they say: one sentence with the file and what to do."""

import gzip
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from normlab import load_mnist
from normlab.cli.main import normlab
from normlab.data import DataFileError, read_idx

NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
ROWS = np.arange(5, dtype=np.uint8)


@pytest.fixture
def write(tmp_path, idx_bytes):
    """Return a function that writes a dataset of five and three images, with parts changed."""

    def write_dataset(prefix="", **changed):
        rng = np.random.default_rng(0)
        parts = {
            "train_images": rng.integers(0, 256, (5, 4, 6), dtype=np.uint8),
            "train_labels": ROWS,
            "test_images": rng.integers(0, 256, (3, 4, 6), dtype=np.uint8),
            "test_labels": ROWS[:3],
        }
        for part, array in (parts | changed).items():
            name = NAMES[part].replace("t10k", "test") if prefix else NAMES[part]
            (tmp_path / f"{prefix}{name}").write_bytes(idx_bytes(array))
        return tmp_path

    return write_dataset


def refuses(folder, file, message):
    with pytest.raises(DataFileError, match=message) as caught:
        load_mnist(data_dir=folder)
    assert str(caught.value).startswith(str(folder / file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "array", "message"),
    [
        ("train_labels", np.array([0, 1, 2.7, 3, 4]), "holds the label 2.7, and labels are whole"),
        ("test_labels", np.array([0, np.nan, 1]), "holds the label nan"),
        ("train_labels", np.array([0, 1, -100, 3, 4], np.int8), "holds the label -100"),
        ("test_labels", np.array([0, -1, 1], np.int32), "holds the label -1, and labels are whole"),
        ("train_labels", np.zeros(6, np.uint8), "labels of shape .6,. for the 5 images"),
        ("train_images", np.zeros((0, 4, 6), np.uint8), "labels of shape .5,. for the 0 images"),
        ("test_images", np.zeros((3, 4, 7), np.uint8), "its images are 4 × 7, and those of train"),
        ("test_images", np.zeros((3, 0, 6), np.uint8), "holds no images"),
    ],
)
def test_parts_that_do_not_fit_are_refused(write, part, array, message):
    file = NAMES[part]
    if "for the 0 images" in message:
        file = NAMES["train_labels"]
    refuses(write(**{part: array}), file, message)


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_empty_set_is_refused(write, split):
    empty = {f"{split}_images": np.zeros((0, 4, 6), np.uint8), f"{split}_labels": ROWS[:0]}
    refuses(write(**empty), NAMES[f"{split}_images"], "holds no images")


def test_whole_numbers_in_another_type_are_labels(write):
    labels = np.array([3.0, 1, 2, 0, 4], np.float32)
    assert load_mnist(data_dir=write(train_labels=labels)).train_labels.tolist() == [3, 1, 2, 0, 4]


def test_a_dataset_knows_its_sizes_and_its_files(write):
    dataset = load_mnist(data_dir=write(test_labels=np.array([0, 46, 1], np.uint8)))
    assert dataset.classes == 47
    assert dataset.image_size == (4, 6)
    assert (
        dataset.first(2).map(lambda array: array).files["train_labels"].name
        == (NAMES["train_labels"])
    )


# ---- EMNIST and the command


def run_mnist(folder, *arguments):
    environment = {"NORMLAB_DATA": str(folder)}
    return CliRunner().invoke(normlab, ["mnist", "--epochs", "1", *arguments], env=environment)


@pytest.mark.parametrize(
    ("name", "classes", "size"), [("letters", 27, (28, 28)), ("balanced", 47, (20, 30))]
)
def test_the_command_trains_on_emnists_letters_and_on_other_sizes(write, name, classes, size):
    rng = np.random.default_rng(0)
    folder = write(
        f"emnist-{name}-",
        train_images=rng.integers(0, 256, (100, *size), dtype=np.uint8),
        train_labels=(np.arange(100) % classes).astype(np.uint8),
        test_images=rng.integers(0, 256, (50, *size), dtype=np.uint8),
        test_labels=(np.arange(50) % classes).astype(np.uint8),
    )
    done = run_mnist(folder)
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("lr", ["nan", "inf"])
def test_the_command_refuses_an_impossible_learning_rate(write, lr):
    done = run_mnist(write(), "--lr", lr)
    assert done.exit_code == 1
    assert done.stderr == f"Error: lr must be a finite number, at least 0, got {lr}.\n"


def test_the_command_says_what_is_wrong_with_a_file(write):
    folder = write(train_labels=np.full(5, 2.7))
    done = subprocess.run(
        [sys.executable, "-m", "normlab", "mnist"],
        env=os.environ | {"NORMLAB_DATA": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"normlab: {folder / NAMES['train_labels']}: holds the label 2.7")
    assert done.stderr.count("\n") == 1


# ---- two versions of one file, and files that change


def test_two_versions_of_a_file_with_different_content_are_not_guessed_at(write, idx_bytes):
    folder = write()
    other = folder / f"{NAMES['train_images']}.gz"
    other.write_bytes(gzip.compress(idx_bytes(np.zeros((5, 4, 6), np.uint8))))
    refuses(folder, NAMES["train_images"], "beside it lies train-images-idx3-ubyte.gz with other")


def test_two_versions_of_a_file_that_say_the_same_are_one(write):
    folder = write()
    other = folder / f"{NAMES['train_images']}.gz"
    other.write_bytes(gzip.compress((folder / NAMES["train_images"]).read_bytes()))
    assert load_mnist(data_dir=folder).train_images.shape == (5, 4, 6)


def test_files_that_were_replaced_are_read_again(write):
    before = load_mnist(data_dir=write())
    after = load_mnist(data_dir=write(train_images=np.full((5, 4, 6), 7, np.uint8)))
    assert not np.array_equal(before.train_images, after.train_images)
    assert (after.train_images == 7).all()


# ---- sums


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


WAYS = {
    "text": "{sum}  {name}\n",
    "binary, with a star": "{sum} *{name}\n",
    "one blank": "{sum} {name}\n",
    "BSD": "SHA256 ({name}) = {sum}\n",
    "in capitals": "{upper}  {name}\n",
    "with a folder": "{sum}  ./{name}\n",
    "after a comment": "# The sums of the dataset\n\n{sum}  {name}\n",
    "among others": "{sum}  a name with blanks.txt\n{sum}  {name}\n",
    "Windows' line ends": "{sum}  {name}\r\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_sum_is_checked_in_whatever_way_it_is_written(write, way, encoding):
    path = write() / NAMES["train_images"]
    right, sums = sha(path), path.with_name("SHA256SUMS")

    def write_sum(digest):
        line = way.format(sum=digest, upper=digest.upper(), name=path.name)
        sums.write_bytes(line.encode(encoding))

    write_sum(right)
    read_idx(path)
    write_sum(right[::-1])
    with pytest.raises(DataFileError, match="its SHA-256 sum is not the one in SHA256SUMS"):
        read_idx(path)


FOREIGN = {
    "comments": b"# sums\n; more\n",
    "a name with blanks": b"0" * 64 + b"  my file.txt\n",
    "not UTF-8": b"0" * 64 + b"  M\xe4rchen.txt\n",
    "empty": b"",
    "binary": bytes(range(256)),
    "sums of another kind for another file": b"d41d8cd98f00b204e9800998ecf8427e  other\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_sums_that_do_not_speak_of_our_files_are_passed_over(write, content):
    folder = write()
    (folder / "SHA256SUMS").write_bytes(content)
    assert load_mnist(data_dir=folder).train_images.shape == (5, 4, 6)


@pytest.mark.parametrize(
    "line", ["d41d8cd98f00b204e9800998ecf8427e  {}", "{} 3f", "{}", "{}: ok", "SHA512 ({}) = 00"]
)
def test_a_line_about_our_file_that_holds_no_sum_is_told(write, line):
    folder = write()
    (folder / "SHA256SUMS").write_text(line.format(NAMES["test_labels"]) + "\n")
    refuses(folder, "SHA256SUMS", "its line about t10k-labels-idx1-ubyte holds no SHA-256 sum")


def test_a_folder_called_as_the_sums_is_told(write):
    folder = write()
    (folder / "SHA256SUMS").mkdir()
    refuses(folder, "SHA256SUMS", r"cannot be read \(.*\), so train-images.* cannot be checked")


# ---- sizes


@pytest.mark.skipif(sys.platform == "win32", reason="limits its memory")
@pytest.mark.parametrize("zipped", [True, False])
def test_what_lies_behind_ten_images_takes_no_memory(tmp_path, idx_bytes, zipped):
    path = tmp_path / "train-images-idx3-ubyte"
    with (gzip.open if zipped else open)(path, "wb") as file:
        file.write(idx_bytes(np.zeros((10, 28, 28), np.uint8)))
        for _ in range(200):
            file.write(bytes(2**20))
    program = (
        "import sys, tracemalloc\n"
        "from normlab.data import DataFileError, read_idx\n"
        "tracemalloc.start()\n"
        "try: read_idx(sys.argv[1])\n"
        "except DataFileError as error: print(error)\n"
        "print(tracemalloc.get_traced_memory()[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    message, most = done.stdout.splitlines()
    assert "too long. Its header promises 7,840 bytes for the shape (10, 28, 28)" in message
    assert int(most) < 20 * 2**20


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([2**32 - 1] * 3, "truncated. Its header promises"),
        ([1] * 200, r"an array that cannot be \(200 axes"),
        ([0] + [2**32 - 1] * 4, "an array that cannot be"),
    ],
)
def test_a_header_that_promises_what_cannot_be_is_told(tmp_path, zipped, sizes, message):
    path = tmp_path / "numbers"
    content = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
    content += b"1" * (sizes[0] == 1)
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(DataFileError, match=message):
        read_idx(path)


# ---- folders


def test_a_folder_that_may_not_be_read_is_told(write, monkeypatch):
    folder = write()

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(folder), "iterdir", refused)
    with pytest.raises(DataFileError, match=r"cannot be read \(Permission denied\). Give data_dir"):
        load_mnist(data_dir=folder)


@pytest.mark.skipif(sys.platform == "win32", reason="makes symbolic links")
def test_links_in_a_circle_are_told(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(DataFileError, match=r"a: (cannot be read|no such folder)"):
        load_mnist(data_dir=tmp_path / "a")


def test_the_home_of_nobody_is_told():
    with pytest.raises(DataFileError, match="~nobody-of-this-name/data: cannot be read"):
        load_mnist(data_dir="~nobody-of-this-name/data")
