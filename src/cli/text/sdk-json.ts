/**
 * Returns the JSON of an object of the SDK as `--json` prints it: the same fields by the same names. A field with a Date
 * is a number of ms since the epoch, and its name ends with `Ms` as in the API: `pausedAt` becomes `pausedAtMs`.
 */
export function sdkJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sdkJson);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) =>
      part instanceof Date ? [`${name}Ms`, part.getTime()] : [name, sdkJson(part)],
    ),
  );
}
