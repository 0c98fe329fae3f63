/**
 * `npm run rollback`: the cases of `holdfast deploy` on ministack, and on a double before it that plays rollouts. The last line
 * is `rollback: cases=N passed=N`.
 */
import { programOptions } from '../../../fixtures/program-options.ts';
import { runCases } from './run-cases.ts';

programOptions('rollback', {});

const { count, passed } = await runCases();
console.log(`rollback: cases=${count} passed=${passed}`);
process.exitCode = count > 0 && count === passed ? 0 : 1;
