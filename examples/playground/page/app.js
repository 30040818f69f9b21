// The page's run: asks the program for decisions, one question after the other, and hands what it says to the panes.

import { Controls, SCENARIOS } from "./controls.js";
import { Pane } from "./pane.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const SECOND = 1_000_000;

class App {
  constructor(algorithms) {
    this.panes = ["A", "B"].map((name) => new Pane(name, algorithms, () => this.afresh()));
    this.controls = new Controls({
      scenario: (scenario) => this.play(scenario),
      setting: () => this.afresh(),
      traffic: () => this.ask(() => this.step({ advance: 0 })),
      run: () => (this.running ? this.stop() : this.start()),
      one: () => this.send(1),
      burst: () => this.send(this.controls.size()),
      reset: () => this.afresh(),
      stop: () => this.stop(),
    });
    this.session = null;
    this.running = false;
    this.questions = Promise.resolve();
    this.spoken = 0;
    this.read = 0;
  }

  // One question at a time, in their order.
  ask(question) {
    const answer = this.questions.then(question);
    const waiting = answer.catch((error) => this.controls.mistake(`The playground does not answer: ${error.message}`));
    this.questions = waiting;
    document.body.toggleAttribute("data-asking", true);
    waiting.then(() => this.questions === waiting && document.body.toggleAttribute("data-asking", false));
    return waiting;
  }

  async post(path, body) {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.ok) return { value: await response.json() };
    const is_json = response.headers.get("content-type") === "application/json";
    if (response.status === 422 && is_json) return { mistakes: await response.json() };
    if (response.status === 404) return { over: true };
    throw new Error(await response.text());
  }

  // A new run with what is set; the counts and the clock begin again.
  afresh(ahead = 0) {
    return this.ask(() => this.begin(ahead));
  }

  async begin(ahead) {
    const setting = { panes: this.panes.map((pane) => pane.setting()), ...this.controls.crowd() };
    const answer = await this.post("/api/start", { setting, replaced: this.session });
    this.mistakes(answer.mistakes ?? []);
    if (answer.mistakes) return;
    const { session, span, instants } = answer.value;
    this.session = session;
    this.now = 0;
    for (const pane of this.panes) pane.begin(span, instants);
    // Drawn when all of it is there.
    let frame = await this.next({ advance: 0 });
    while (frame && this.now < ahead) frame = await this.next({ advance: ahead - this.now });
    this.read = -Infinity;
    if (frame) this.draw();
    this.speak();
  }

  mistakes(mistakes) {
    this.healthy = mistakes.length === 0;
    this.controls.mistake(mistakes.find(({ pane, field }) => pane === null || field === "cost")?.message);
    this.panes.forEach((pane, number) => pane.mistake(mistakes.find((mistake) => mistake.pane === number)));
  }

  async step(step) {
    if (this.healthy && (await this.next(step))) this.draw();
  }

  // Takes a step without drawing it; whether there is something to draw.
  async next(step) {
    const answer = await this.post("/api/step", {
      session: this.session,
      step: { traffic: this.controls.traffic(), ...step },
    });
    if (answer.over) {
      await this.begin(0);
      return false;
    }
    this.controls.mistake(answer.mistakes?.[0].message);
    if (answer.mistakes) {
      this.stop();
      return false;
    }
    const { now, panes } = answer.value;
    this.now = now;
    panes.forEach((seen, number) => this.panes[number].add(now, seen));
    return true;
  }

  draw() {
    this.controls.clock(this.now);
    this.described();
    const most = Math.max(1, ...this.panes.map((pane) => pane.tallest()));
    // While the clock runs, what has to be read is left to stand for a moment.
    const is_due = !this.running || performance.now() - this.read > 250;
    if (is_due) this.read = performance.now();
    for (const pane of this.panes) pane.draw(most, is_due);
    this.controls.verdict(this.panes.map((pane) => pane.outcome()));
  }

  // What a screen reader is told, not at every step.
  speak() {
    this.spoken = performance.now();
    this.controls.speak(this.panes.map((pane) => pane.outcome()), this.now);
  }

  async send(count) {
    await this.ask(() => this.step({ at_once: count }));
    this.speak();
  }

  play(scenario) {
    this.controls.show(scenario);
    this.panes.forEach((pane, number) => pane.show(scenario.panes[number]));
    const begun = this.afresh(scenario.ahead * SECOND);
    if (!calm.matches) begun.then(() => this.start());
    return begun;
  }

  described() {
    this.controls.describe(this.panes[0].windowText());
  }

  async start() {
    if (this.running) return;
    this.running = true;
    this.controls.running(true);
    let last = performance.now();
    while (this.running) {
      await frame(calm.matches ? 500 : 45);
      if (!this.running) break;
      await this.ask(() => {
        const now = performance.now();
        // A page that was out of sight does not catch up.
        const gone = Math.min(now - last, 600);
        last = now;
        return this.running && this.step({ advance: Math.round(gone * 1000 * this.controls.speed()) });
      });
      if (performance.now() - this.spoken > 10_000) this.speak();
    }
  }

  stop() {
    if (!this.running) return;
    this.running = false;
    this.controls.running(false);
    if (this.healthy) this.draw();
    this.speak();
  }
}

// The next time that the browser draws, so many milliseconds from now at the earliest.
function frame(milliseconds) {
  const begun = performance.now();
  return new Promise((resolve) => {
    const look = (now) => (now - begun >= milliseconds ? resolve() : requestAnimationFrame(look));
    requestAnimationFrame(look);
  });
}

const algorithms = await (await fetch("/api/algorithms")).json();
const app = new App(algorithms);
await app.play(SCENARIOS[0]);
document.body.dataset.ready = "yes";
