// What a press says to Python. While one is on its way Gradio keeps the next for later, and then sends the first one's
// words again: so all presses of a piece share one object, and what is sent later is what the last one said.
const said = {};
const press = (words) => {
  for (const name of Object.keys(said)) delete said[name];
  trigger("select", Object.assign(said, words));
};
