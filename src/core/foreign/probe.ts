/** Looks at a value of any kind without throwing: a proxy and a getter may throw at every use. */

type Constructor<C> = abstract new (...parameters: never[]) => C;

/** Returns true if a value is an instance of a class. A proxy that throws, or that was revoked, is no instance. */
export function isInstance<C>(value: unknown, type: Constructor<C>): value is C {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** Returns the value of a property; undefined if it cannot be read. */
export function readProperty(value: object, key: PropertyKey): unknown {
  try {
    return (value as Record<PropertyKey, unknown>)[key];
  } catch {
    return undefined;
  }
}
