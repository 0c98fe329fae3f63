import { startMinistack } from '../stand-ins/ministack.ts';
import { brokerContract } from './broker-contract.ts';
import { brokerOnSqs } from './sqs-contract.ts';

// Set by scripts/test-sqs.ts, which makes the virtual environment.
const python = process.env.HOLDFAST_MINISTACK_PYTHON ?? '';

brokerContract('broker on SQS, ministack', () => startMinistack(python));
brokerOnSqs('bells on SQS beside the contract, ministack', () => startMinistack(python));
