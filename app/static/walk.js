// Arrow keys walk through the buttons of a list, Home and End to either end; Tab enters it at one place and leaves it.
// `selector` names the buttons, `around(button)` the list that one belongs to. Put before the script that calls it.
const walk = (selector, around) => element.addEventListener("keydown", (event) => {
  if (!event.target.matches(selector)) return;
  const buttons = [...around(event.target).querySelectorAll(selector)];
  const top = (button) => button.getBoundingClientRect().top;
  const here = buttons.indexOf(event.target);
  const row = buttons.filter((button) => top(button) === top(buttons[0])).length;
  const steps = { ArrowRight: here + 1, ArrowLeft: here - 1, ArrowDown: here + row, ArrowUp: here - row, Home: 0, End: buttons.length - 1 };
  const next = buttons[steps[event.key]];
  if (next) {
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    event.preventDefault();
  }
});
