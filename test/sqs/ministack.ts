import { startMinistack } from '../stand-ins/ministack.ts';
import { brokerContract } from './broker-contract.ts';
import { brokerOnSqs } from './sqs-contract.ts';

// scripts/test-sqs.ts creates a virtual environment and sets HOLDFAST_MINISTACK_PYTHON to the path of its Python.
const python = process.env.HOLDFAST_MINISTACK_PYTHON ?? '';

brokerContract('broker on SQS, ministack', () => startMinistack(python));
brokerOnSqs('behaviour of the SQS broker beyond the contract, ministack', () => startMinistack(python));
