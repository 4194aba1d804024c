// The robot's stage: its face, its celebration and what stands under it.

import { createParty } from "./party.js";
import { ASLEEP, createRobot, NEUTRAL } from "./robot.js";
import { say, translated } from "./texts.js";
import { chosenOf, element, namesOf } from "./view.js";

const part = (id) => document.getElementById(id);
const robot = createRobot();
const celebrate = createParty(part("stage"), part("confetti"));

/** Where the robot looks, each from -1 to 1. */
export const { gaze } = robot;

/** Shows a decision (``null``: rest), ``asleep`` while the service is away; ``anew`` celebrates once more. */
export function showStage(heads, decision, { asleep = false, anew = false } = {}) {
  const [leading, others] = chosenByFace(heads, decision);
  const chosen = [...leading, ...others];
  const look = asleep ? ASLEEP : (chosen.find((known) => known.look)?.look ?? NEUTRAL);
  const party = !asleep && Boolean(decision) && chosen.some((known) => known.sparkle);
  robot.show(look);
  part("stage").style.setProperty("--warmth", `${Math.round(50 + 50 * look.mouth)}%`);
  celebrate(party, anew);
  part("cheer").hidden = !party;
  if (asleep) write(say("asleep"), say("stage"), [say("awakening")]);
  else if (!decision) write(say("listening"), say("stage"), [say("invitation")]);
  else {
    const names = namesOf(leading);
    const hints = chosen.map((known) => translated(known.hint)).filter(Boolean);
    const definitions = leading.map((known) => known.definition).filter(Boolean);
    write(names, say("robotShows", { names }), hints.length ? hints : definitions, hints.length > 0);
  }
}

/** The chosen classes of the first head that has looks (else of the first head), and those of all others. */
function chosenByFace(heads, decision) {
  const face = heads.find((head) => head.classes.some((known) => known.look)) ?? heads[0];
  const others = heads.filter((head) => head !== face).flatMap((head) => chosenOf(head, decision));
  return [face ? chosenOf(face, decision) : [], others];
}

function write(caption, robotLabel, lines, hinting = false) {
  part("caption").textContent = caption;
  part("robot").ariaLabel = robotLabel;
  part("lead").hidden = !hinting;
  part("hints").replaceChildren(...lines.map((line) => element("p", "", line)));
}
