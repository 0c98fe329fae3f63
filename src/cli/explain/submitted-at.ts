import type { HoldfastError } from '../../core/errors.ts';
import { usage } from '../exit-codes.ts';

/** The times of acceptance that fit the time which a user knows: half-open, in ms since the epoch. */
export interface SubmittedAt {
  readonly fromMs: number;
  readonly untilMs: number;
  /** The time that the user gave, at its beginning. */
  readonly atMs: number;
  /** The zone that was assumed, because the time has none. */
  readonly zone: string | undefined;
}

const timePattern =
  /^(?:(?<date>\d{4}-\d\d-\d\d)[T ])?(?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:\.(?<fraction>\d{1,3}))?)?(?<zone>Z|[+-]\d\d:\d\d)?$/;
const datePattern = /^\d{4}-\d\d-\d\d$/;
const dayMs = 86_400_000;
/** A submission counts as near if it was accepted at most this time in ms before or after the time that is known. */
const nearMs = 1_000;
/** The first day that may be named. Times of tasks begin in 1970, and the offsets of zones differ before it. */
const firstDate = '1970-01-02';
/** The most hours by which the clocks of a zone differ from UTC. */
const mostZoneHours = 14;

/** Returns how far the clocks of a zone are ahead of UTC at a time, in ms. */
function offsetMs(atMs: number, zone: string): number {
  const numeric = 'numeric';
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, hourCycle: 'h23', year: numeric, month: numeric, day: numeric },
    ...{ hour: numeric, minute: numeric, second: numeric },
  } as const);
  const parts = format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]);
  const { year = 0, month = 1, day = 1, hour, minute, second } = Object.fromEntries(parts);
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1_000) * 1_000;
}

/** Returns the times at which the clocks of a zone show this date and time: none, one, or two when clocks are put back. */
function instantsOf(wallMs: number, zone: string): number[] {
  const offsets = new Set([offsetMs(wallMs - dayMs, zone), offsetMs(wallMs + dayMs, zone)]);
  const instants = [...offsets].map((offset) => ({ atMs: wallMs - offset, offset }));
  return instants.filter(({ atMs, offset }) => offsetMs(atMs, zone) === offset).map(({ atMs }) => atMs);
}

function badTime(text: string): HoldfastError {
  return usage(
    `'${text}' is no time.`,
    "Write a time such as '10:03:45', with its zone if it is not this machine's: '10:03:45+02:00' or '10:03:45Z'; --date 2026-07-01 gives the day.",
  );
}

/** Returns the milliseconds of a date and a time as if they were of UTC, or undefined if there is no such date or time. */
function wallMsOf(date: string, time: string): number | undefined {
  const text = `${date}T${time}Z`;
  const ms = Date.parse(text);
  // Date.parse takes the 30th of February for the 2nd of March.
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== date ? undefined : ms;
}

function localDate(atMs: number, aheadMs: number): string {
  return new Date(atMs + aheadMs).toISOString().slice(0, 10);
}

function onlyInstant(text: string, wallMs: number, zone: string): number {
  const [atMs, other] = instantsOf(wallMs, zone).sort((a, b) => a - b);
  if (atMs === undefined) {
    throw usage(
      `There was no ${text} on that day in this machine's zone, ${zone}: its clocks were put forward.`,
      'Write the time with its zone, such as 10:03:45Z.',
    );
  }
  if (other !== undefined) {
    const [first, second] = [atMs, other].map((ms) => new Date(ms).toISOString());
    throw usage(
      `${text} came twice on that day in this machine's zone, ${zone}: its clocks were put back.`,
      `Write one of them: --submitted-at ${first}, or --submitted-at ${second}.`,
    );
  }
  return atMs;
}

/**
 * Returns the times of acceptance within a second of a time that a user knows. A time without a zone is of the zone given,
 * and a time without a date is the last one that has passed.
 */
export function submittedAt(
  text: string,
  date: string | undefined,
  { nowMs, zone }: { readonly nowMs: number; readonly zone: string },
): SubmittedAt {
  const { groups } = timePattern.exec(text) ?? {};
  if (groups === undefined) throw badTime(text);
  if (date !== undefined && !datePattern.test(date))
    throw usage(`'${date}' is no date.`, "Write it as '2026-07-01'.");
  if (date !== undefined && groups.date !== undefined)
    throw usage('The time has a date, and --date gives another one.', 'Give the date once.');
  const { hour, minute, second, fraction } = groups;
  const time = `${hour}:${minute}:${second ?? '00'}.${(fraction ?? '').padEnd(3, '0')}`;
  const givenDate = date ?? groups.date;
  if (givenDate !== undefined && givenDate < firstDate)
    throw usage(`No task was submitted on ${givenDate}.`, `Write a date from ${firstDate} on.`);
  const fixedMs = groups.zone === undefined ? undefined : zoneMs(groups.zone);
  if (fixedMs === null) throw badTime(text);
  const aheadMs = fixedMs ?? offsetMs(nowMs, zone);
  const onDay = (day: string): number => {
    const wallMs = wallMsOf(day, time);
    if (wallMs === undefined) throw badTime(`${day} ${text}`);
    return fixedMs === undefined ? onlyInstant(text, wallMs, zone) : wallMs - fixedMs;
  };
  const today = givenDate ?? localDate(nowMs, aheadMs);
  const first = onDay(today);
  const isAhead = givenDate === undefined && first > nowMs;
  const atMs = isAhead ? onDay(localDate(nowMs - dayMs, aheadMs)) : first;
  const lengthMs = second === undefined ? 60_000 : fraction === undefined ? 1_000 : 1;
  return {
    fromMs: Math.max(1, atMs - nearMs),
    untilMs: atMs + lengthMs + nearMs,
    atMs,
    zone: fixedMs === undefined ? zone : undefined,
  };
}

/** Returns how far a zone is ahead of UTC, in ms; null if there is no such zone. */
function zoneMs(zone: string): number | null {
  if (zone === 'Z') return 0;
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number);
  if (hours > mostZoneHours || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
