import { reasons } from '../../../core/errors.ts';

/** The reasons of errors, in small letters; empty for a success. */
export const errorTypes = ['', ...reasons.map((reason) => reason.toLowerCase())];
