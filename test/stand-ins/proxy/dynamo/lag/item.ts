/** A value as DynamoDB encodes it: an object with one member, whose name is the type. */
export type AttributeValue = Readonly<Record<string, unknown>>;
export type Item = Readonly<Record<string, AttributeValue>>;

/**
 * Returns a partition key's value as text, as the limits of the proxy name it: a string or number itself, bytes in
 * base64.
 */
export function keyText(value: AttributeValue | undefined): string {
  const [inner] = Object.values(value ?? {});
  return typeof inner === 'string' ? inner : JSON.stringify(inner ?? null);
}
