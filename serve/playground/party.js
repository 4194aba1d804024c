// The celebration: confetti here; lights and dance are the style sheet's, switched on by one attribute of the stage.

const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const COLOURS = ["#ffc247", "#ff7d6b", "#5fc9a8", "#5aa9ff", "#a78bfa", "#ff9ecb"];
const PIECES = 130;
const SECONDS = 3.4;

/** Returns ``celebrate(on, anew)``: starts when ``on`` begins, lasts while it stays, ``anew`` starts again. */
export function createParty(stage, canvas) {
  const pen = canvas.getContext("2d");
  let pieces = [];
  let last = 0;
  let timer = 0;

  function throwConfetti() {
    const idle = !pieces.length;
    const box = stage.getBoundingClientRect();
    const size = Math.min(1.25, Math.max(0.8, box.width / 420));
    for (let i = 0; i < PIECES; i += 1) {
      const side = i % 2 ? 1 : -1;
      const lean = 0.6 * Math.random() - 0.12; // from upright, mostly inwards
      const speed = Math.sqrt(box.height) * (24 + 22 * Math.random()); // a higher stage asks for a harder throw
      pieces.push({
        x: box.width * (0.5 + 0.46 * side),
        y: box.height * 0.8,
        right: -side * Math.sin(lean) * speed,
        down: -Math.cos(lean) * speed,
        turn: Math.random() * 6.3,
        spin: 2 + 5 * Math.random(),
        size: (5 + 5 * Math.random()) * size,
        round: Math.random() < 0.3,
        colour: COLOURS[i % COLOURS.length],
        age: -0.25 * Math.random(),
      });
    }
    if (idle) {
      last = performance.now();
      requestAnimationFrame(fall);
    }
  }

  function fall(time) {
    const seconds = Math.min((time - last) / 1000, 0.05);
    last = time;
    const scale = devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = width * scale;
    canvas.height = height * scale;
    pen.scale(scale, scale);
    pieces = pieces.filter((piece) => piece.age < SECONDS && piece.y < height + 20);
    for (const piece of pieces) {
      piece.age += seconds;
      if (piece.age < 0) continue;
      const drag = 1 - 1.5 * seconds;
      piece.right *= drag;
      piece.down = piece.down * drag + 620 * seconds;
      piece.x += (piece.right + 22 * Math.sin(piece.turn)) * seconds;
      piece.y += piece.down * seconds;
      piece.turn += piece.spin * seconds;
      pen.save();
      pen.globalAlpha = Math.min(1, (SECONDS - piece.age) * 1.4);
      pen.fillStyle = piece.colour;
      pen.translate(piece.x, piece.y);
      pen.rotate(piece.turn);
      pen.scale(1, Math.cos(piece.turn * 1.7)); // paper shows its edge as it tumbles
      pen.beginPath();
      if (piece.round) pen.arc(0, 0, piece.size / 2, 0, 7);
      else pen.roundRect(-piece.size / 2, -piece.size / 3, piece.size, piece.size / 1.5, 1.5);
      pen.fill();
      pen.restore();
    }
    if (pieces.length) requestAnimationFrame(fall);
    else canvas.width = canvas.height = 0;
  }

  return (on, anew = false) => {
    const begins = on && (anew || !("celebrating" in stage.dataset));
    stage.toggleAttribute("data-celebrating", on);
    if (!on) {
      delete stage.dataset.dancing;
      for (const piece of pieces) piece.age = Math.max(piece.age, SECONDS - 0.3); // gone in a moment
    }
    if (!begins || STILL.matches) return;
    stage.dataset.dancing = "";
    clearTimeout(timer);
    timer = setTimeout(() => delete stage.dataset.dancing, SECONDS * 1000);
    if (!document.hidden) throwConfetti();
  };
}
