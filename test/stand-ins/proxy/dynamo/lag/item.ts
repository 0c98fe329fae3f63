/** As on the wire: one member, its name the type. */
export type AttributeValue = Readonly<Record<string, unknown>>;
export type Item = Readonly<Record<string, AttributeValue>>;

/** The text by which limits name a partition: a string or number as it is, bytes in base64. */
export function keyText(value: AttributeValue | undefined): string {
  const [inner] = Object.values(value ?? {});
  return typeof inner === 'string' ? inner : JSON.stringify(inner ?? null);
}
