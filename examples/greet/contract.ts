import { defineTask, typed } from 'holdfast';

/** What both sides share; no server code in it. */
export const greet = defineTask('greet', {
  input: typed<{ name: string }>(),
  output: typed<{ greeting: string }>(),
  idempotencyKey: ({ name }) => `greet/${name}`,
});
