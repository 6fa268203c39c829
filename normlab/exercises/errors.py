"""What Python's and NumPy's own errors mean, in words."""

import re

#: Part of an error's text, as a pattern, and what it means.
_MEANS = {
    r"'list' object cannot be interpreted as an integer": (
        "several axes are given as a tuple, as in axis=(0, 2), not as a list"
    ),
    r"truth value of an array": (
        "`if` and `not` want one answer, and an array has many. To ask whether there is an array, "
        "write `is None`"
    ),
    r"truth value of a Series|Boolean value of Tensor": "`if` wants one answer, and this has many",
    r"could not be broadcast together|could not broadcast": (
        "NumPy lines shapes up from the last axis on, and these do not fit; keepdims=True or a "
        "reshape puts an axis of size 1 where one is missing"
    ),
    r"matmul: .* mismatch": (
        "in a @ b the last axis of a must be as long as the first of b; print both shapes"
    ),
    r"axis -?\d+ is out of bounds": "the array has fewer axes than that; print its shape",
    r"too many indices": "the array has fewer axes than there are indices; print its shape",
    r"cannot reshape array": "a reshape keeps the number of values; print the shape before it",
    r"Cannot cast ufunc": (
        "an array of whole numbers cannot hold what comes after the point, so `-=` and `/=` "
        "refuse; make a new array of floats"
    ),
    r"support argument 0 of type NoneType|'NoneType' object|and 'NoneType'|'NoneType' and": (
        "something is None here: an argument that may be None, or a function without `return`"
    ),
    r"'numpy.ndarray' object is not callable": "an array is asked with [ ], and not with ( )",
    r"argument 'dim'|argument 'keepdim'|argument 'unbiased'|argument 'correction'": (
        "this is PyTorch's word; NumPy's are axis, keepdims and ddof"
    ),
    r"Cannot interpret .* as a data type": "a shape is one tuple: np.zeros((3, 2))",
    r"axes don't match array": "transpose needs each axis of the array once; print its shape",
    r"'tuple' object cannot be interpreted as an integer": (
        "a shape stands where one number is asked for; x.shape[0] is a number"
    ),
    r"only (0-dimensional|integer scalar|length-1) arrays": (
        "one number is asked for here, and an array is given"
    ),
    r"referenced before assignment|cannot access local variable": (
        "this name is given a value only on another way through the function, or further down"
    ),
}


def in_words(message: str) -> str:
    """Say what an error means behind its text, where something is known of it."""
    known = (means for pattern, means in _MEANS.items() if re.search(pattern, message))
    means = next(known, "")
    return f"{message}. In words: {means}." if means else message
