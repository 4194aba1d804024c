// The playground: what is typed or picked becomes a turn, the turn a question to the service, the answer the page.

import { buildExamples } from "./examples.js";
import { checkKey, classify, fetchLabels, Trouble, useKey } from "./service.js";
import { gaze, showStage } from "./stage.js";
import { say, speak } from "./texts.js";
import { announcement, buildBars, showExpected, showFigures } from "./view.js";

const PAUSE = 120; // milliseconds of silence on the keyboard before the service is asked
const PATIENT = 5000; // the longest wait before asking a lost service again

const part = (id) => document.getElementById(id);
const fields = ["utterance", "previous", "reply"].map(part);
const [utterance, previous, reply] = fields;

let labels = null; // of /v1/labels
let showBars = () => {};
let examples = null;
let decision = null; // the one on show; null at rest
let trouble = null;
let question = new AbortController(); // the newest question; older ones are dropped
let typing = 0;
let reading = 0;
let again = 0;
let announcing = 0;
let wait = 500;

const turn = () => ({ utterance: utterance.value, previous: previous.value, reply: reply.value });

// --- what is on the page -------------------------------------------------------------------------------------------

function showDecision(anew = false) {
  showStage(labels?.heads ?? [], decision, { asleep: trouble?.retry, anew });
  showBars(decision);
  showFigures(decision);
  showExpected(labels?.heads, decision, examples?.picked());
}

function showTrouble(anew = false) {
  part("notice").hidden = !trouble || trouble.text === "keyLabel";
  part("key-form").hidden = !trouble?.locked;
  document.body.classList.toggle("stale", Boolean(trouble));
  const [reason, way] = trouble?.words() ?? ["", ""];
  part("notice-reason").textContent = reason;
  part("notice-way").textContent = way;
  showDecision(anew);
}

function writePage() {
  const [first] = labels?.examples ?? [];
  utterance.placeholder = first ? say("such", { text: first.utterance }) : "";
  part("about").textContent = labels ? say("about", labels) : "";
  examples?.write();
  grow();
  showTrouble();
}

// --- asking the service --------------------------------------------------------------------------------------------

function failed(error) {
  if (!(error instanceof Trouble)) throw error;
  trouble = error;
  showTrouble();
  clearTimeout(again);
  if (error.locked && document.activeElement === document.body) part("key").focus();
  if (!error.retry) return;
  again = setTimeout(start, wait);
  wait = Math.min(2 * wait, PATIENT);
}

function succeeded(anew = false) {
  clearTimeout(again);
  wait = 500;
  trouble = null;
  showTrouble(anew);
}

async function decide(anew = false) {
  clearTimeout(typing);
  question.abort();
  const mine = (question = new AbortController());
  const asked = turn();
  if (!asked.utterance.trim()) {
    decision = null;
    part("live").textContent = "";
    if (trouble && !trouble.retry && !trouble.locked) succeeded(); // the refused text is gone
    showDecision();
    return;
  }
  try {
    if (!labels || trouble?.locked) return;
    const answer = await classify(asked, labels.heads, mine.signal);
    if (mine.signal.aborted) return;
    decision = answer;
    succeeded(anew);
    clearTimeout(announcing); // only what stays is worth hearing
    announcing = setTimeout(() => (part("live").textContent = announcement(labels.heads, answer)), anew ? 0 : 500);
  } catch (error) {
    if (!mine.signal.aborted) failed(error);
  }
}

/** Reads the label set, again after trouble too: the service may have come back with another one. */
async function start() {
  try {
    const found = await fetchLabels();
    if (JSON.stringify(found) !== JSON.stringify(labels)) {
      labels = found;
      decision = null;
      showBars = buildBars(labels.heads);
      examples = buildExamples(labels.examples ?? [], pick);
    }
    writePage();
    await checkKey(labels);
    succeeded();
    await decide();
  } catch (error) {
    failed(error);
  }
}

// --- what people do ------------------------------------------------------------------------------------------------

function pick(example) {
  fields.forEach((field) => (field.value = example[field.id] ?? ""));
  if (example.reply) part("answer").open = true;
  if (part("stage").getBoundingClientRect().bottom < 100) part("stage").scrollIntoView(); // the face is what to see
  grow();
  decide(true);
}

function clear() {
  fields.forEach((field) => (field.value = ""));
  examples?.mark(-1);
  grow();
  decide();
  utterance.focus();
}

function grow() {
  utterance.style.height = "auto";
  utterance.style.height = `${utterance.scrollHeight + 2}px`;
}

for (const field of fields) {
  field.addEventListener("input", () => {
    examples?.mark(-1);
    grow();
    clearTimeout(typing);
    typing = setTimeout(decide, PAUSE);
    gaze(Math.min(1, field.value.length / 30) - 0.4, 0.8); // it reads along
    clearTimeout(reading);
    reading = setTimeout(() => gaze(0, 0), 900);
  });
}

part("composer").addEventListener("keydown", (event) => {
  if (event.isComposing || !fields.includes(event.target)) return; // Enter may end a word of an input method
  const { selectionStart, selectionEnd, value } = event.target;
  const untouched = !value || examples?.picked();
  const edge = { ArrowUp: selectionEnd === 0, ArrowDown: selectionStart === value.length }[event.key];
  if (event.key === "Enter") decide(true);
  else if (event.target === utterance && edge !== undefined && (untouched || edge)) {
    examples?.step(event.key === "ArrowUp" ? -1 : 1);
  } else return;
  event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && event.target !== part("key")) clear();
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, textarea")) return;
  event.preventDefault();
  utterance.focus();
});

part("composer").addEventListener("submit", (event) => event.preventDefault());
part("clear").addEventListener("click", clear);
part("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(part("key").value);
  start();
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    speak(button.dataset.language);
    writePage();
  });
}
addEventListener("online", start);

speak();
writePage();
start();
