/**
 * The version of this package. It is a constant, since a bundle of an application has no package.json of Holdfast beside it.
 * `npm version` writes it, by scripts/version.ts.
 */
export const packageVersion = '0.1.0';
