// Talks to the service this page came from. Every failure comes as a Trouble that says the reason and the way out.

import { say } from "./texts.js";

const PATIENCE = 8000; // milliseconds until an answer counts as lost
let key = ""; // in memory alone

/** Keeps the key for this page's requests. */
export const useKey = (wanted) => {
  key = wanted.trim();
};

/** The form asks for a first key; only one that was tried is worth a word. */
const locked = () => new Trouble(key ? "keyRefused" : "keyLabel", "", { locked: true });

/** Why there is no answer. ``text`` and ``way`` name what is said; ``retry``: waiting helps, ``locked``: a key does. */
export class Trouble extends Error {
  constructor(text, way, { retry = false, locked = false, ...values } = {}) {
    super(text);
    Object.assign(this, { text, way, retry, locked, values });
  }

  /** Reason and way out in the chosen language. */
  words() {
    return [say(this.text, this.values), this.way ? say(this.way) : ""];
  }
}

async function ask(path, { signal, ...options } = {}) {
  if (!/^[!-~]*$/.test(key)) throw locked(); // no header can carry it
  const timeout = AbortSignal.timeout(PATIENCE);
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  let response;
  let answer = null;
  try {
    response = await fetch(path, {
      ...options,
      headers,
      cache: "no-store",
      credentials: "omit",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    answer = await response.json().catch((error) => {
      if (error instanceof SyntaxError) return null;
      throw error;
    });
  } catch (error) {
    if (signal?.aborted) throw error; // a newer question took its place
    throw new Trouble(timeout.aborted ? "slow" : "down", timeout.aborted ? "againWay" : "downWay", { retry: true });
  }
  if (!response.ok) throw trouble(response.status, answer);
  if (answer === null || typeof answer !== "object") throw new Trouble("strange", "againWay", { retry: true });
  return answer;
}

function trouble(status, answer) {
  const words = [answer?.detail, answer?.title, answer?.error?.message];
  const detail = (words.find((word) => typeof word === "string") ?? String(status)).replace(/\.$/, "");
  if (status === 401 || status === 403) return locked();
  if (status === 429 || status === 503) return new Trouble("busy", "againWay", { retry: true, detail });
  if ([400, 413, 422].includes(status)) return new Trouble("refused", "refusedWay", { detail });
  return new Trouble("broken", "againWay", { retry: true, status, detail });
}

/** The label set: heads, classes, looks, examples. Open to all. */
export const fetchLabels = () => ask("v1/labels");

/** Sees, where the service needs a key, that there is one and that it is taken. */
export async function checkKey({ key_needed: needed }) {
  if (needed && !key) throw locked();
  if (needed) await ask("v1/models");
}

/** Decides one turn for ``heads``; ``milliseconds`` is the round trip as this browser sees it. */
export async function classify(turn, heads, signal) {
  const start = performance.now();
  const decision = await ask("v1/classify", { method: "POST", body: JSON.stringify({ ...turn, full: true }), signal });
  const foreign = heads.some((head) => !Object.hasOwn(decision, head.name)); // the service swapped its label set
  if (foreign) throw new Trouble("strange", "againWay", { retry: true });
  return { ...decision, milliseconds: performance.now() - start };
}
