import { expect, it } from 'vitest';
import { answerOf, type Question } from './question.ts';
import { questions } from './questions.ts';
import { isAllShown, jsonOf, lastLine, table } from './report.ts';

const options = { seed: 1, allCauses: false };
const question = (answer: Question['answer']): Question => ({ number: 4, title: 'Why?', answer });

it('the review asks nine questions, in their order', () => {
  expect(questions.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(questions.every(({ title }) => title.length > 20)).toBe(true);
});

it('an answer is shown if all that it expected was seen', async () => {
  const answer = await answerOf(
    question(async (evidence) => {
      evidence.act('asked the table');
      evidence.seeEqual('heads', 3, 3);
    }),
    options,
  );
  expect(answer).toMatchObject({ verdict: 'shown', reason: '', did: ['asked the table'], saw: ['heads: 3'] });
  expect(lastLine([answer], 1.4)).toBe('review: questions=1 answered=1 seconds=1');
  expect(isAllShown([answer])).toBe(true);
});

it('an answer is not shown if something was not seen, if nothing was seen, or by an error, each with the reason', async () => {
  const answers = await Promise.all(
    [
      question(async (evidence) => evidence.seeEqual('heads', 2, 3)),
      question(async () => {}),
      question(async (evidence) => {
        evidence.see('a head');
        throw new Error('the table is gone');
      }),
    ].map((one) => answerOf(one, options)),
  );
  expect(answers.map(({ verdict, reason }) => [verdict, reason])).toEqual([
    ['not shown', 'heads: 2 in place of 3'],
    ['not shown', 'nothing was seen'],
    ['not shown', 'the table is gone'],
  ]);
  expect(isAllShown(answers)).toBe(false);
  expect(isAllShown([])).toBe(false);
  expect(lastLine(answers, 2)).toBe('review: questions=3 answered=0 seconds=2');
  expect(table(answers)[1]).toMatch(/^ 4 {2}not shown +0\.\d {2}Why\?\n {4}heads: 2 in place of 3$/);
  expect(jsonOf(answers, 2, 7)).toMatchObject({ answered: 0, seconds: 2, seed: 7, questions: answers });
});

it('parts of an answer run at the same time, and their evidence stands in the order of the parts', async () => {
  const { promise: second, resolve } = Promise.withResolvers<void>();
  const answer = await answerOf(
    question((evidence) =>
      evidence.together({
        one: async (part) => {
          await second;
          part.see('first');
        },
        other: async (part) => {
          part.see('second');
          resolve();
          throw new Error('cut');
        },
      }),
    ),
    options,
  );
  expect(answer).toMatchObject({ saw: ['first', 'second'], verdict: 'not shown', reason: 'other: cut' });
});
