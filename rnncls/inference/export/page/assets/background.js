// Long computations in short slices, so that the page answers to each key.

const SLICE_MS = 12;

/** Runs one job at a time; a new job ends the one before. */
class Background {
  constructor() {
    this.timer = null;
  }

  /** Exhaust iterators one after the other, then call `finish`. */
  run(iterators, finish) {
    clearTimeout(this.timer);
    const waiting = [...iterators];
    const work = () => {
      const end = performance.now() + SLICE_MS;
      while (waiting.length > 0 && performance.now() < end) {
        if (waiting[0].next().done) waiting.shift();
      }
      if (waiting.length > 0) this.timer = setTimeout(work, 0);
      else finish();
    };
    this.timer = setTimeout(work, 0);
  }

  stop() {
    clearTimeout(this.timer);
  }
}
