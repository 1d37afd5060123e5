/**
 * What the person looks at: one object, changed in one place, told to whoever asked.
 *
 * Everything here is small and can stand in an address; what the server knows is in model.js.
 */

export const START = Object.freeze({
  view: "mosaic",
  layout: null,
  colour: "accuracy",
  slice: null,
  also: [],
  sort: "accuracy",
  descending: false,
  guide: null,
  find: "",
  predicted: "",
  mark: "",
  accuracy: "",
  cell: null,
  order: "errors",
  page: 1,
  tool: "pan",
  how: "replace",
  at: null,
  opacity: 70,
  threshold: 0,
  contour: true,
  shown: true,
});

export class Store {
  constructor(state = {}) {
    this.state = { ...START, ...state };
    this.listeners = [];
  }

  /**
   * Change some of the state and tell those who follow it.
   *
   * @param {Partial<typeof START>} changes
   * @param {{history?: "push"|"replace"|"none"}} [how] What the address does about it.
   */
  set(changes, { history = "push" } = {}) {
    const changed = new Set();
    for (const [key, value] of Object.entries(changes)) {
      if (same(this.state[key], value)) continue;
      this.state[key] = value;
      changed.add(key);
    }
    if (!changed.size) return;
    for (const { keys, tell } of [...this.listeners]) {
      if (keys.some((key) => changed.has(key))) tell(this.state, changed, history);
    }
  }

  /** Call `tell` after any of these keys changed. */
  on(keys, tell) {
    this.listeners.push({ keys, tell });
  }
}

function same(one, other) {
  return one === other || (typeof one === "object" && JSON.stringify(one) === JSON.stringify(other));
}
