// The robot's face, drawn from the four numbers of a look. It knows looks, never classes.

export const NEUTRAL = { eyes: 0.7, brow: 0, mouth: 0.2, open: 0 };
export const ASLEEP = { eyes: 0, brow: 0.1, mouth: -0.1, open: 0 }; // while the service is away

const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const STIFFNESS = 210; // of the springs that carry one look into the next, per second squared
const DAMPING = 23; // a little under critical: the face arrives with a hint of life
const FASTER = { lid: [1600, 80], wobble: [260, 9] }; // a blink is quick, the antenna swings
const TICK = 1 / 120; // seconds a step, so that slow frames do not make the springs explode
const EYE = { x: 36, y: 144 }; // distance from the middle, height
const MOUTH = { x: 160, y: 181 };

const part = (id) => document.getElementById(id);
const within = (value, low, high) => Math.min(high, Math.max(low, Number.isFinite(value) ? value : low));
const points = (strings, ...values) =>
  strings.reduce((path, piece, i) => path + piece + (i < values.length ? values[i].toFixed(2) : ""), "");

/** A closed shape of two arcs between the ends ``-width`` and ``width``, bent towards a point above and one below. */
const lens = (width, ends, [a, above], [b, below]) =>
  points`M${-width} ${ends}C${-a} ${above} ${a} ${above} ${width} ${ends}` +
  points`C${b} ${below} ${-b} ${below} ${-width} ${ends}Z`;

/** An eye around 0,0: an oval when open; shut, an arc that follows the mouth (glad up, sad down). */
function eye({ eyes, mouth, open, lid }) {
  const openness = within(eyes, 0, 1.15) * (1 - lid);
  const half = 2.5 + 21 * openness;
  const width = 14.5 + 2 * openness;
  const shut = 1 - within(openness / 0.45, 0, 1);
  const bow = 13 * shut * within(mouth * 4, -1, 1) * (1 - lid);
  const squint = 0.4 * within(mouth, 0, 1) * (1 - 0.7 * within(open, 0, 1)); // a smile lifts the lower lid
  const bend = width * (1 - 0.5 * shut);
  return lens(width, 0, [bend, (-half - bow) * 1.33], [bend, (half * (1 - squint) - bow) * 1.33]);
}

/** A brow over the eye at ``x``: below 0 its inner end sinks (angry), above 0 it rises, aslant if eyes are not wide. */
function brow({ eyes, brow: lift }, x, inner) {
  const raised = within(lift, 0, 1);
  const worry = raised * (1 - 0.85 * within(eyes, 0, 1));
  const y = EYE.y - 30 - 8 * raised + 7 * within(-lift, 0, 1);
  const inside = lift > 0 ? -13 * worry : -12 * lift;
  const outside = lift > 0 ? 8 * worry : 4 * lift;
  const arch = 3 + 7 * (raised - worry);
  const [a, b] = [x - 16 * inner, x + 16 * inner];
  return points`M${a} ${y + outside}Q${x} ${y + (inside + outside) / 2 - arch} ${b} ${y + inside}`;
}

/** The mouth: corners up or down, and a lower lip that drops as it opens. Open without a smile it is round. */
function mouth({ mouth: smile, open }) {
  const gape = within(open, 0, 1.1);
  const width = 17 + 13 * Math.abs(smile) - 7 * gape * (1 - within(Math.abs(smile), 0, 1));
  const ends = -8 * smile - 3 * gape;
  const upper = 10 * smile - 8 * gape * (1 - within(smile, 0, 1));
  const lower = 10 * smile + 30 * gape;
  const pinch = 0.55 + 0.4 * gape * (1 - within(smile, 0, 1));
  return lens(width, ends, [width * pinch, upper], [width * (0.55 + 0.45 * gape), lower]);
}

function draw(now) {
  const [left, right] = [160 - EYE.x, 160 + EYE.x];
  const shape = eye(now);
  for (const [side, x, inner] of [["left", left, 1], ["right", right, -1]]) {
    part(`eye-${side}`).setAttribute("d", shape);
    part(`eye-${side}`).setAttribute("transform", points`translate(${x + 7 * now.gazeX} ${EYE.y + 6 * now.gazeY})`);
    part(`brow-${side}`).setAttribute("d", brow(now, x + 3 * now.gazeX, inner));
    const spark = part(`spark-${side}`);
    spark.setAttribute("cx", (x + 5.5 + 8 * now.gazeX).toFixed(2));
    spark.setAttribute("cy", (EYE.y - 3 - 8 * now.eyes + 6 * now.gazeY).toFixed(2));
    spark.style.opacity = within((now.eyes * (1 - now.lid) - 0.35) * 4, 0, 1);
    part(`cheek-${side}`).style.opacity = within(0.12 + 0.7 * now.mouth, 0.1, 0.85);
  }
  part("mouth").setAttribute("d", mouth(now));
  part("mouth").setAttribute("transform", points`translate(${MOUTH.x + 5 * now.gazeX} ${MOUTH.y + 3 * now.gazeY})`);
  part("mouth").style.fillOpacity = within(now.open * 4, 0, 1);
  const tilt = 5 * within(now.brow, 0, 1) * (1 - within(now.eyes, 0, 1)) + 2 * now.gazeX;
  part("head").setAttribute("transform", points`rotate(${tilt} 160 232) translate(0 ${2 * now.gazeY})`);
  part("antenna").setAttribute("transform", points`rotate(${-now.wobble * 9} 160 56)`);
}

/** Sets the face up and returns what moves it: ``show(look)``, ``gaze(x, y)``. Numbers as in a label set's ``look``. */
export function createRobot() {
  const rest = { ...NEUTRAL, lid: 0, gazeX: 0, gazeY: 0, wobble: 0 };
  const now = { ...rest };
  const speed = Object.fromEntries(Object.keys(rest).map((key) => [key, 0]));
  const goal = { ...rest };
  let running = false;
  let last = 0;

  function step(time) {
    for (; last < time && time - last < 250; last += 1000 * TICK) {
      for (const key of Object.keys(now)) {
        const [stiffness, damping] = FASTER[key] ?? [STIFFNESS, DAMPING];
        speed[key] += (stiffness * (goal[key] - now[key]) - damping * speed[key]) * TICK;
        now[key] += speed[key] * TICK;
      }
    }
    last = Math.max(last, time); // a tab that slept goes on from now
    const moves = (key) => Math.abs(speed[key]) > 0.005 || Math.abs(goal[key] - now[key]) > 0.002;
    const moving = Object.keys(now).some(moves);
    if (!moving) Object.assign(now, goal);
    draw(now);
    running = moving;
    if (moving) requestAnimationFrame(step);
  }

  function move(wanted) {
    Object.assign(goal, wanted);
    if (STILL.matches) {
      Object.assign(now, goal);
      draw(now);
    } else if (!running) {
      running = true;
      last = performance.now();
      requestAnimationFrame(step);
    }
  }

  function blink() {
    if (!STILL.matches && !document.hidden) {
      move({ lid: 1 });
      setTimeout(() => move({ lid: 0 }), 110);
    }
    setTimeout(blink, 2600 + 3200 * Math.random());
  }

  draw(now);
  setTimeout(blink, 2000);
  return {
    show(look) {
      const wanted = { ...NEUTRAL, ...look };
      if (Object.keys(NEUTRAL).some((key) => goal[key] !== wanted[key])) speed.wobble += 9; // the antenna nods along
      move(wanted);
    },
    gaze(x, y) {
      if (!STILL.matches) move({ gazeX: within(x, -1, 1), gazeY: within(y, -1, 1) });
    },
  };
}
