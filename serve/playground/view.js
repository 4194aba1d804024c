// Shows decisions as figures: a bar for every class of every head, confidence, times. Text only by textContent.

import { duration, percent, say } from "./texts.js";

const part = (id) => document.getElementById(id);

/** A new element with a class and a text. */
export function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

/** The classes a decision chose for a head, as the label set describes them, in its order. */
export function chosenOf(head, labels) {
  const names = [labels?.[head.name] ?? head.default].flat();
  return head.classes.filter((known) => names.includes(known.name));
}

/** The names of classes, or a word for none. */
export const namesOf = (classes) => classes.map((known) => known.name).join(", ") || say("none");

/** ``head: class, class; head: class`` for a decision or an example. */
export const spelled = (labels, heads) =>
  heads.map((head) => `${head.name}: ${namesOf(chosenOf(head, labels))}`).join("; ");

/** Builds the bars of a label set into ``#heads``; returns a function that shows a decision, or rest with ``null``. */
export function buildBars(heads) {
  const bars = heads.map((head) => {
    const section = element("section", "head");
    const title = element("h2", "", head.question || head.name);
    const name = element("p", "name", head.name);
    const kind = element("span", "kind");
    if (head.question) section.append(title, name);
    else section.append(title);
    if (head.kind === "any-of") (head.question ? name : title).append(" ", kind);
    const rows = head.classes.map((known) => {
      const row = element("li");
      const share = element("span", "share");
      const fill = element("i");
      const track = element("span", "track");
      const mark = element("span", "unseen");
      track.ariaHidden = "true";
      track.append(fill);
      const label = element("span", "class", known.name);
      if (known.definition) label.title = known.definition;
      label.append(mark);
      row.append(label, track, share);
      return { known, row, fill, share, mark };
    });
    const list = element("ul", "bars");
    list.append(...rows.map(({ row }) => row));
    section.append(list);
    return { head, kind, rows };
  });
  part("heads").replaceChildren(...bars.map(({ rows }) => rows[0].row.closest("section")));

  return (decision) => {
    for (const { head, kind, rows } of bars) {
      kind.textContent = say("several");
      const chosen = decision ? chosenOf(head, decision) : [];
      for (const { known, row, fill, share, mark } of rows) {
        const probability = decision?.probabilities?.[head.name]?.[known.name];
        const is = chosen.includes(known);
        row.classList.toggle("chosen", is);
        mark.textContent = is ? ` (${say("chosen")})` : "";
        fill.style.width = `${100 * (probability ?? 0)}%`;
        share.textContent = probability === undefined ? "–" : percent(probability);
      }
    }
  };
}

/** Confidence, source and times of a decision; dashes at rest. */
export function showFigures(decision) {
  const sure = decision ? say(decision.sure ? "sure" : "unsure") : "";
  part("confidence").textContent = decision ? percent(decision.confidence) : "–";
  part("sure").textContent = sure;
  part("sure").className = decision ? (decision.sure ? "good" : "weak") : "";
  part("source").textContent = decision ? decision.source : "–";
  part("source-help").textContent = decision ? (decision.degraded ? say("degraded") : explained(decision.source)) : "";
  part("source-help").className = decision?.degraded ? "weak" : "";
  part("server").textContent = decision ? duration(decision.microseconds) : "–";
  part("trip").textContent = decision ? duration(1000 * decision.milliseconds) : "–";
}

const explained = (source) => (["student", "teacher", "default"].includes(source) ? say(source) : "");

/** For a picked example: whether the label set decides it so too, and why it says so. */
export function showExpected(heads, decision, example) {
  if (!decision || !example) part("expected").textContent = "";
  else {
    const labels = spelled(example.labels, heads);
    const verdict = say(labels === spelled(decision, heads) ? "same" : "other", { labels });
    part("expected").textContent = [verdict, example.why].filter(Boolean).join(" – ");
  }
}

/** The decision as one sentence for those who hear the page. */
export const announcement = (heads, decision) =>
  say("announce", {
    labels: spelled(decision, heads),
    percent: percent(decision.confidence),
    sure: say(decision.sure ? "sure" : "unsure"),
  });
