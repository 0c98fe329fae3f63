/** A value as DynamoDB encodes it: an object with one member, whose name is the type. */
export type AttributeValue = Readonly<Record<string, unknown>>;
export type Item = Readonly<Record<string, AttributeValue>>;

/** The text of a partition key, as limits name it: a string or number itself, bytes in base64. */
export function keyText(value: AttributeValue | undefined): string {
  const [inner] = Object.values(value ?? {});
  return typeof inner === 'string' ? inner : JSON.stringify(inner ?? null);
}
