// The label set's examples as buttons, and walking through them.

import { say } from "./texts.js";
import { element } from "./view.js";

const part = (id) => document.getElementById(id);

/** Builds the buttons; ``pick(example)`` is called for the chosen one. Returns ``step``, ``mark`` and ``write``. */
export function buildExamples(examples, pick) {
  let at = -1;
  const buttons = examples.map((example, i) => {
    const button = element("button");
    button.type = "button";
    button.dir = "auto";
    button.addEventListener("click", () => choose(i));
    return button;
  });
  part("examples").replaceChildren(
    ...buttons.map((button) => {
      const item = element("li");
      item.append(button);
      return item;
    }),
  );
  part("examples-card").hidden = !examples.length;

  function mark(index) {
    at = index;
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
  }

  function choose(index) {
    mark(index);
    const list = part("examples");
    list.scrollTo({ left: buttons[index].offsetLeft - (list.clientWidth - buttons[index].offsetWidth) / 2 });
    pick(examples[index]);
  }

  function fit() {
    const list = part("examples");
    part("all").hidden = !list.classList.contains("all") && list.scrollWidth <= list.clientWidth;
  }

  function write() {
    examples.forEach((example, i) => {
      const lines = [element("span", "said", example.utterance)];
      if (example.previous) lines.unshift(element("small", "", say("robotSaid", { text: example.previous })));
      if (example.reply) lines.push(element("small", "", say("robotAnswers", { text: example.reply })));
      buttons[i].replaceChildren(...lines);
    });
    const open = part("examples").classList.contains("all");
    part("all").textContent = say(open ? "fewer" : "all", { count: examples.length });
    part("all").setAttribute("aria-expanded", String(open));
    fit();
  }

  window.onresize = fit;
  part("all").onclick = () => {
    part("examples").classList.toggle("all");
    write();
  };
  write();
  mark(-1);
  return {
    write,
    mark,
    picked: () => examples[at] ?? null,
    /** Picks the next example (``1``) or the one before (``-1``), round and round. */
    step(by) {
      const from = at < 0 && by < 0 ? 0 : at;
      if (examples.length) choose((from + by + examples.length) % examples.length);
    },
  };
}
