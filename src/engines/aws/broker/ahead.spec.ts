import { describe, expect, it } from 'vitest';
import { Ahead } from './ahead.ts';

/** Takes `count` deliveries every `everyMs` from `fromMs` until `untilMs`. */
function flow(ahead: Ahead, fromMs: number, untilMs: number, everyMs: number, count = 1): void {
  for (let atMs = fromMs; atMs < untilMs; atMs += everyMs) ahead.taken(count, atMs);
}

describe('the number of messages that are received ahead', () => {
  it('is 0 for a worker that has only filled its slots', () => {
    const ahead = new Ahead();
    flow(ahead, 1_000, 1_050, 10, 4);
    for (const atMs of [1_050, 1_190, 1_210, 1_400, 1_600, 2_500]) expect(ahead.messages(atMs)).toBe(0);
  });

  it('is what a steady flow takes in 0.6 s, from the second complete window on', () => {
    const ahead = new Ahead();
    flow(ahead, 1_100, 1_399, 10);
    expect(ahead.messages(1_399)).toBe(0);
    expect(ahead.messages(1_401)).toBe(60);
    flow(ahead, 1_401, 5_000, 10);
    expect(ahead.messages(5_000)).toBe(60);
  });

  it('is at most 192', () => {
    const ahead = new Ahead();
    flow(ahead, 0, 2_000, 1, 10);
    expect(ahead.messages(2_000)).toBe(192);
  });

  it('is 0 for tasks that begin in waves of more than 400 ms', () => {
    const ahead = new Ahead();
    flow(ahead, 0, 10_000, 500, 16);
    expect(ahead.messages(10_000)).toBe(0);
  });

  it('falls to 0 within 400 ms once nothing is taken, and is learned anew after an idle second', () => {
    const ahead = new Ahead();
    flow(ahead, 0, 3_000, 10);
    expect(ahead.messages(3_000)).toBe(60);
    expect(ahead.messages(3_400)).toBe(0);
    flow(ahead, 60_000, 60_401, 5);
    expect(ahead.messages(60_401)).toBe(120);
  });

  it('follows a flow that becomes slower within a window, and one that becomes faster within a second', () => {
    const ahead = new Ahead();
    flow(ahead, 0, 3_000, 10);
    flow(ahead, 3_000, 3_400, 50);
    expect(ahead.messages(3_400)).toBe(12);
    flow(ahead, 3_400, 4_600, 10);
    expect(ahead.messages(4_600)).toBe(60);
  });
});
