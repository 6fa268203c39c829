"""A picture with controls under it: move one, and the picture is drawn again.

The picture and its controls are two outputs of a cell. Where no widget runs (a stored notebook, a
web page, GitHub) the picture is still there, with its alt text, and a line says where to find the
controls.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from normlab.audience import nobody_is_there
from normlab.plots.picture import Picture

if TYPE_CHECKING:
    import ipywidgets


@dataclass(frozen=True)
class Slider:
    """A number between two others."""

    label: str
    value: float
    low: float
    high: float
    step: float

    def widget(self) -> "ipywidgets.FloatSlider":
        """Return the control as a widget."""
        from ipywidgets import FloatSlider

        return FloatSlider(
            value=self.value,
            min=self.low,
            max=self.high,
            step=self.step,
            description=self.label,
            readout_format=".0f" if self.step == 1 else ".2f",
            **_wide(),
        )

    def read(self, widget: "ipywidgets.FloatSlider") -> float:
        """Return the number."""
        return widget.value


@dataclass(frozen=True)
class Choice:
    """A slider that stops at a few values."""

    label: str
    value: Any
    options: Sequence[Any]

    def widget(self) -> "ipywidgets.SelectionSlider":
        """Return the control as a widget."""
        from ipywidgets import SelectionSlider

        # By its place: for ipywidgets the value None means that nothing is chosen.
        return SelectionSlider(
            value=self.options.index(self.value),
            options=[(str(option), place) for place, option in enumerate(self.options)],
            description=self.label,
            **_wide(),
        )

    def read(self, widget: "ipywidgets.SelectionSlider") -> Any:  # noqa: ANN401 - any option
        """Return what is chosen."""
        return self.options[widget.value]


@dataclass(frozen=True)
class Tick:
    """A box to tick."""

    label: str
    value: bool

    def widget(self) -> "ipywidgets.Checkbox":
        """Return the control as a widget."""
        from ipywidgets import Checkbox, Layout

        return Checkbox(
            value=self.value, description=self.label, indent=False, layout=Layout(width="11em")
        )

    def read(self, widget: "ipywidgets.Checkbox") -> bool:
        """Return whether it is ticked."""
        return widget.value


Control = Slider | Choice | Tick


class Explorer:
    """A picture that is drawn again when a control moves.

    Parameters
    ----------
    draw
        Takes the value of each control by name, and returns the `Picture`.
    controls
        The controls, by the name of ``draw``'s argument.
    """

    def __init__(self, draw: Callable[..., Picture], controls: Mapping[str, Control]) -> None:
        self.draw = draw
        self.controls = controls

    def picture(self, **values: Any) -> Picture:  # noqa: ANN401 - what `draw` takes
        """Draw the picture, with some of the controls moved."""
        start = {name: control.value for name, control in self.controls.items()}
        return self.draw(**(start | values))

    def _ipython_display_(self) -> None:
        from IPython.display import display

        # Two outputs, so that a saved notebook keeps the picture after its widgets are gone.
        shown = display(self.picture(), display_id=True)
        display(_ControlPanel(self, shown.update))


class _ControlPanel:
    """The controls as a notebook shows them: widgets, or a line that says what they would be."""

    def __init__(self, explorer: Explorer, show: Callable[[Picture], None]) -> None:
        self.explorer = explorer
        self.show = show

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        labels = ", ".join(control.label for control in self.explorer.controls.values())
        sentence = f"Run this cell in Jupyter, and controls appear here: {labels}."
        fallback = {"text/plain": f"[{sentence}]", "text/html": f"<p><i>{escape(sentence)}</i></p>"}
        if nobody_is_there():
            return fallback
        return self._widgets()._repr_mimebundle_() | fallback

    def _widgets(self) -> "ipywidgets.Box":
        from ipywidgets import HBox, Layout

        controls = self.explorer.controls
        widgets = {name: control.widget() for name, control in controls.items()}

        def redraw(_: object) -> None:
            values = {name: controls[name].read(widget) for name, widget in widgets.items()}
            self.show(self.explorer.draw(**values))

        for widget in widgets.values():
            widget.observe(redraw, names="value")
        return HBox(list(widgets.values()), layout=Layout(flex_flow="row wrap", max_width="750px"))


def _wide() -> dict[str, Any]:
    from ipywidgets import Layout

    return {"style": {"description_width": "initial"}, "layout": Layout(width="24em")}
