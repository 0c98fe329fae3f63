/**
 * `npm run rollback`: the cases of `holdfast deploy` on ministack, and on a double before it that plays rollouts. The last line
 * is `rollback: cases=N passed=N`.
 */
import { runCases } from './run-cases.ts';

const { count, passed } = await runCases();
console.log(`rollback: cases=${count} passed=${passed}`);
process.exitCode = count > 0 && count === passed ? 0 : 1;
