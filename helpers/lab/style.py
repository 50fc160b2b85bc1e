"""How the strategy lab looks: one `<style>` text, all rules below the class ``lab``."""

from __future__ import annotations

from helpers.plots.style import ACCENT, FROZEN, INK

RULES = """
.lab {{ color: {ink}; font-size: var(--lab-size); line-height: 1.45; --lab-size: 15px;
  --jp-widgets-font-size: var(--lab-size); --jp-ui-font-size1: var(--lab-size);
  --jp-widgets-inline-height: calc(2.1 * var(--lab-size));
  --jp-widgets-inline-label-width: calc(7.5 * var(--lab-size));
  --jp-widgets-input-focus-border-color: {accent}; --jp-brand-color1: {accent};
  --jp-widgets-slider-handle-background-color: {accent};
  --jp-widgets-slider-handle-border-color: {accent};
  --jp-widgets-slider-active-handle-color: {accent}; accent-color: {accent};
  box-sizing: border-box; max-width: 1240px; margin: 0 auto; padding: 0 12px; overflow: visible; }}
.lab-presenter {{ --lab-size: 22px; max-width: none; }}
.lab *, .lab *::before {{ box-sizing: border-box; }}
.lab .widget-html-content, .lab .jupyter-widget-html-content {{ line-height: 1.45;
  font-size: var(--lab-size); overflow-wrap: break-word; }}
.lab h1, .lab h2, .lab h3 {{ margin: 0.2em 0; font-weight: 600; line-height: 1.25; color: {ink}; }}
.lab h3 {{ margin-top: 0.5em; }}
.lab h1 {{ font-size: 1.6em; }} .lab h2 {{ font-size: 1.2em; }} .lab h3 {{ font-size: 1.05em; }}
.lab-panel {{ border: 1px solid {line}; border-radius: 6px; padding: 10px 14px;
  background: white; }}
.lab-quiet {{ color: #5b6570; }}
.lab .jupyter-button, .lab .widget-button {{ border-radius: 4px; background: {line}; color: {ink};
  box-shadow: none; font-weight: 500; line-height: 1; overflow: visible; }}
.lab .jupyter-button.mod-primary {{ background: {accent}; color: white; font-weight: 700; }}
.lab .jupyter-button:disabled {{ opacity: 0.45; }}
.lab .jupyter-button:focus-visible {{ outline: 3px solid {ink}; outline-offset: 1px; }}
.lab-error {{ border-left: 5px solid {accent}; background: #fdf1e8; padding: 8px 12px; }}
.lab-error:empty {{ display: none; }}
.lab table {{ border-collapse: collapse; font-size: var(--lab-size); margin: 0; width: 100%; }}
.lab th {{ text-align: left; font-weight: 600; border-bottom: 2px solid {ink}; }}
.lab th, .lab td {{ padding: 5px 12px 5px 0; vertical-align: middle; white-space: nowrap; }}
.lab td {{ border-bottom: 1px solid {line}; font-variant-numeric: tabular-nums; }}
.lab td.number, .lab th.number {{ text-align: right; padding-right: 12px; }}
.lab .number:last-child {{ padding-right: 0; }}
.lab .widget-tab > .widget-tab-contents {{ border: none; padding: 8px 0; }}
.lab select, .lab input {{ text-overflow: ellipsis; }}
.lab .widget-checkbox {{ margin: 0; }}
.lab .widget-checkbox label {{ display: flex; gap: 8px; align-items: center; }}
.lab input[type=checkbox], .lab input[type=radio] {{ width: 1.05em; height: 1.05em; margin: 0;
  font-size: inherit; vertical-align: middle; flex: none; }}
.lab .widget-toggle-buttons {{ margin: 6px 0; }}
.lab .widget-radio-box {{ gap: 0; }}
.lab .widget-radio-box label:has(input:checked) {{ font-weight: 700; }}
.lab .widget-vbox > .jupyter-button {{ align-self: flex-start; }}
.lab .widget-hslider, .lab .widget-hslider .slider-container {{ overflow: visible;
  margin-right: 14px; }}
.lab .noUi-handle {{ background: {accent}; border-color: {accent}; }}
.lab img {{ max-width: 100%; height: auto; display: block; }}
"""


def lab_style() -> str:
    """Return the `<style>` element of the lab; the outermost box carries the class ``lab``.

    ``lab-presenter`` beside it makes the type large. Classes for parts: ``lab-panel`` (a framed
    group), ``lab-quiet`` (a remark), ``lab-error`` (a sentence about what went wrong), ``number``
    (a table cell with digits). The one primary button takes the accent colour.
    """
    return f"<style>{RULES.format(ink=INK, accent=ACCENT, line=FROZEN)}</style>"
