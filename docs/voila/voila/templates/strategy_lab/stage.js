/* What the page of the lab does without its kernel: keys and clickers, an address that survives a
   reload, names and states for screen readers, and a word when the kernel has ended. */
(() => {
  "use strict";
  const ENDED = "The program behind this page has ended, so nothing here answers any more. Load the "
    + "page again: a prepared race comes back with guess and step, and with the arms that were "
    + "done; a stored race shows its stored result. Your own setup is not kept.";
  const ROOM_ENDED = "The program behind this page has ended, so nothing here answers any more. Load "
    + "the page again: every answer that you rated is kept, and a new session begins with what is due.";
  const PATIENCE = 15000; // milliseconds without any connection
  const KEYS = { PageDown: 1, ArrowRight: 1, PageUp: -1, ArrowLeft: -1 };
  const TAKES_DIGITS = "select, textarea, input:not([type=checkbox], [type=radio])";
  const TAKES_ARROWS = "select, textarea, input:not([type=checkbox]), [role=slider], [role=tab]";

  // A clicker sends PageUp and PageDown, wherever the focus is.
  document.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    if (!document.querySelector(".lab-presenter")) return;
    if (event.key.startsWith("Arrow") && event.target.matches(TAKES_ARROWS)) return;
    const steps = [...document.querySelectorAll(".lab-steps button")];
    const next = steps[steps.findIndex((b) => b.classList.contains("mod-active")) + step];
    event.preventDefault();
    event.stopPropagation();
    if (next) next.click();
  }, true);

  // A presenter counts hands: 1 is one more for the first answer, with Shift one less.
  // Where the number pad gives End or PageDown (as it does with Shift), it counts nothing.
  document.addEventListener("keydown", ({ code, key, target, shiftKey, altKey, ctrlKey, metaKey }) => {
    const place = /^(?:Digit|Numpad)([1-6])$/.exec(code);
    if (!place || (code.startsWith("Numpad") && key.length > 1)) return;
    if (altKey || ctrlKey || metaKey || target.matches(TAKES_DIGITS)) return;
    const row = document.querySelectorAll(".lab-poll > div")[place[1] - 1];
    if (row && row.offsetParent) row.querySelectorAll("button")[shiftKey ? 0 : 1].click();
  }, true);

  function set(element, name, value) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }

  // The widgets say what they are to the eye only.
  function describe() {
    for (const group of document.querySelectorAll(".widget-toggle-buttons")) {
      set(group, "role", "group");
      set(group, "aria-label", group.classList.contains("lab-steps") ? "step" : "what is shown");
      for (const button of group.querySelectorAll("button"))
        set(button, "aria-pressed", String(button.classList.contains("mod-active")));
    }
    for (const box of document.querySelectorAll(".widget-radio-box")) {
      set(box, "role", "radiogroup");
      const name = box.querySelector(".widget-label");
      set(box, "aria-label", (name && name.textContent) || "your guess");
    }
    for (const button of document.querySelectorAll(".lab-poll button"))
      set(button, "aria-label", button.title);
    for (const tabs of document.querySelectorAll(".lab .widget-tab [role=tablist]"))
      set(tabs, "aria-label", "arms");
  }

  // A button that was pressed and cannot be pressed again would drop the focus to the page's top.
  let focused = null;
  document.addEventListener("focusin", ({ target }) => { focused = target; });
  document.addEventListener("focusout", ({ target }) => { if (!target.disabled) focused = null; });
  function keepFocus() {
    if (!focused || !focused.disabled) return;
    if (document.activeElement !== focused && document.activeElement !== document.body) return;
    const shown = (b) => !b.disabled && b.offsetParent !== null;
    const all = [...document.querySelectorAll(".lab button")];
    const next = [...focused.parentElement.querySelectorAll(":scope > button")].find(shown)
      || all.slice(all.indexOf(focused) + 1).find(shown);
    if (next) next.focus();
  }

  // How many arms are done is read out; the seconds that are left are not.
  function say() {
    const status = document.querySelector(".lab-status"), said = document.getElementById("lab-said");
    const words = status ? status.textContent.replace(/, (about|estimating).*/, "") : "";
    if (said && said.textContent !== words) said.textContent = words;
  }

  function keepAddress() {
    const place = document.querySelector(".lab-address");
    if (!place) return;
    const address = new URL(location.href), now = new URLSearchParams(place.dataset.query);
    for (const name of ["race", "presenter", "step", "guess", "hands", "raced"]) {
      if (now.has(name)) address.searchParams.set(name, now.get(name));
      else address.searchParams.delete(name);
    }
    if (address.href !== location.href) history.replaceState(null, "", address);
  }

  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    setTimeout(() => { due = false; describe(); say(); keepAddress(); keepFocus(); }, 100);
  }).observe(document, { subtree: true, childList: true, attributes: true,
    attributeFilter: ["class", "disabled"] });

  function end() {
    if (document.getElementById("lab-ended") || leaving) return;
    const box = document.createElement("div"), again = document.createElement("button");
    box.id = "lab-ended";
    box.setAttribute("role", "alert");
    box.append(document.querySelector(".interview") ? ROOM_ENDED : ENDED, again);
    again.textContent = "Load again";
    again.onclick = () => location.reload();
    document.body.append(box);
    document.body.classList.add("lab-ended");
    document.getElementById("rendered_cells").inert = true;
    again.focus();
  }

  let open = 0, leaving = false;
  addEventListener("pagehide", () => { leaving = true; });
  const text = new TextDecoder();
  // The kernel's own words for its end: its messages pass through here.
  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      this.addEventListener("open", () => { open += 1; this.counted = true; });
      this.addEventListener("message", ({ data }) => {
        const said = typeof data === "string" ? data : data.byteLength < 5000 && text.decode(data);
        if (said && /"execution_state": ?"(dead|restarting|autorestarting)"/.test(said)) end();
      });
      this.addEventListener("close", () => {
        if (!this.counted) return;
        open -= 1;
        setTimeout(() => { if (!open) end(); }, PATIENCE);
      });
    }
  };
})();
