import { describe, expect, it } from 'vitest';
import { dayMs, minuteMs, startMs } from '../../../test/fixtures/task-life.ts';
import { noOptions } from '../codec/options.ts';
import { fold } from '../task/evolve.ts';
import { shownState } from '../task/head.ts';
import { expiry, lifetimeEnd, type OptionsRequest, resolveOptions, submittedEvent } from './submission.ts';

function resolve(requested: Partial<OptionsRequest> = {}) {
  return resolveOptions({ ...noOptions, ...requested }, startMs);
}

describe('the options of an accepted task', () => {
  it('have every default filled in', () => {
    expect(resolve()).toEqual({
      runAtMs: undefined,
      deadlineAtMs: undefined,
      lifetimeMs: 14 * dayMs,
      ownLifetime: false,
      retentionMs: 7 * dayMs,
      windowMs: dayMs,
      priority: 'normal',
      retry: { maxAttempts: 5, baseMs: 1_000, factor: 2, maxMs: 300_000 },
      attemptTimeoutMs: 300_000,
      tags: [],
      parentId: undefined,
      whenDead: 'return',
      maxLosses: 3,
    });
  });

  it('keep the requested values beside the defaults', () => {
    expect(resolve({ retry: { maxAttempts: 9 } }).retry).toMatchObject({ maxAttempts: 9, baseMs: 1_000 });
  });

  it('have a scheduled start time in place of a delay', () => {
    expect(resolve({ delayMs: minuteMs }).runAtMs).toBe(startMs + minuteMs);
  });
});

describe('a task’s times', () => {
  it('count the lifetime from the scheduled start time or from acceptance, whichever is later', () => {
    expect(lifetimeEnd(resolve({ runAtMs: startMs + dayMs }), startMs)).toBe(startMs + 15 * dayMs);
    expect(lifetimeEnd(resolve(), startMs)).toBe(startMs + 14 * dayMs);
    expect(lifetimeEnd(resolve({ runAtMs: startMs - 30 * dayMs }), startMs)).toBe(startMs + 14 * dayMs);
  });

  it('put the expiry at the end of the deduplication window or lifetime, whichever is later, plus the retention', () => {
    expect(expiry(resolve(), startMs)).toBe(startMs + 21 * dayMs);
    expect(expiry(resolve({ windowMs: 30 * dayMs }), startMs)).toBe(startMs + 37 * dayMs);
    expect(expiry(resolve({ delayMs: 20 * dayMs, retentionMs: dayMs }), startMs)).toBe(startMs + 35 * dayMs);
  });

  it('put the expiry at least an hour after the lifetime’s end, however short the retention is', () => {
    const brief = { lifetimeMs: 5 * minuteMs, windowMs: minuteMs };
    for (const retentionMs of [0, 1, 59 * minuteMs]) {
      expect(expiry(resolve({ ...brief, retentionMs }), startMs)).toBe(startMs + 65 * minuteMs);
    }
    expect(expiry(resolve({ ...brief, retentionMs: 61 * minuteMs }), startMs)).toBe(startMs + 66 * minuteMs);
    const windowLonger = { ...brief, windowMs: 30 * minuteMs, retentionMs: 0 };
    expect(expiry(resolve(windowLonger), startMs)).toBe(startMs + 65 * minuteMs);
    expect(expiry(resolve({ ...windowLonger, windowMs: dayMs }), startMs)).toBe(startMs + dayMs);
  });
});

describe('the first event of a task', () => {
  it('makes the task scheduled only if its start time is in the future', () => {
    const of = (requested: Partial<OptionsRequest>) =>
      shownState(fold([submittedEvent(resolve(requested), startMs, undefined)]));
    expect(of({ delayMs: 1 })).toBe('scheduled');
    expect(of({ runAtMs: startMs })).toBe('ready');
    expect(of({ runAtMs: startMs - dayMs })).toBe('ready');
    expect(of({})).toBe('ready');
  });

  it('records the lifetime’s end, for the sweep, if the submission set a lifetime or is scheduled', () => {
    const of = (requested: Partial<OptionsRequest>) =>
      submittedEvent(resolve(requested), startMs, undefined).lifetimeEndAtMs;
    expect(of({})).toBe(undefined);
    expect(of({ lifetimeMs: minuteMs })).toBe(startMs + minuteMs);
    expect(of({ delayMs: minuteMs })).toBe(startMs + minuteMs + 14 * dayMs);
  });

  it('records whether the task has an ordering key', () => {
    expect(submittedEvent(resolve(), startMs, 'customer-7').inLane).toBe(true);
    expect(submittedEvent(resolve(), startMs, undefined).inLane).toBe(false);
  });
});
