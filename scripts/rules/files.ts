/** The files of rules, as text: sloth's own form, the rules of the objectives, and the operational alerts. */
import { Document, type Scalar, visit } from 'yaml';
import { burnAlerts, objectives } from '../../src/core/objectives/objectives.ts';
import { type AlertDefinition, indicatorOf, lengthsBy, operationalAlerts } from './definition.ts';
import {
  inputRules,
  objectiveRules,
  percentOf,
  type Rule,
  type RuleGroup,
  type RuleOptions,
  service,
} from './objective-rules.ts';
import { runbookFolder, runbookOf } from './runbooks.ts';

const folder = 'deploy/observability';
const note =
  ' Made by `npm run rules` from src/core/objectives/objectives.ts and scripts/rules/definition.ts. Do not edit it.';

/** Writes YAML with a text of several lines as a block. */
export function yamlText(value: unknown, comment = note): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, node: Scalar) {
      if (typeof node.value === 'string' && node.value.includes('\n')) node.type = 'BLOCK_LITERAL';
    },
  });
  document.commentBefore = comment;
  return document.toString({ lineWidth: 0 });
}

export const standardOptions: RuleOptions = {
  lengths: lengthsBy(1),
  runbook: (alert) => `${runbookFolder}/${runbookOf(alert)}`,
};

export function operationalRule(alert: AlertDefinition, { lengths, runbook }: RuleOptions): Rule {
  const { name, severity, forMs, summary, description } = alert;
  return {
    alert: name,
    expr: alert.expr(lengths),
    ...(forMs > 0 && { for: lengths.text(forMs) }),
    labels: { severity },
    annotations: { summary, description, runbook_url: runbook(name) },
  };
}

/** Returns the specification of the objectives in the form of sloth, `prometheus/v1`. */
function slothSpecification({ runbook }: RuleOptions): unknown {
  const severities = burnAlerts.map(({ name, severity }) => [
    `${severity}_alert`,
    { labels: { severity }, annotations: { runbook_url: runbook(name) } },
  ]);
  return {
    version: 'prometheus/v1',
    service,
    slos: objectives.map((objective) => {
      const indicator = indicatorOf(objective.name);
      return {
        name: objective.name,
        objective: percentOf(objective),
        description: objective.sentence,
        sli:
          'ratio' in indicator
            ? { raw: { error_ratio_query: indicator.ratio } }
            : { events: { error_query: indicator.errors, total_query: indicator.total } },
        alerting: { name: 'BudgetBurn', ...Object.fromEntries(severities) },
      };
    }),
  };
}

const ofSloth = `${note}
 It needs the group holdfast-objective-inputs of rules/objectives.rules.yml.
 Sloth gives the fast and the slow alert of an objective the same name. The rules in rules/objectives.rules.yml, which are
 otherwise those that sloth makes of this file, name them FastBudgetBurn and SlowBudgetBurn.`;

export function objectiveGroups(options: RuleOptions): readonly RuleGroup[] {
  return [inputRules(options), ...objectives.flatMap((objective) => objectiveRules(objective, options))];
}

export function operationalGroups(options: RuleOptions): readonly RuleGroup[] {
  return [
    { name: 'holdfast-alerts', rules: operationalAlerts.map((alert) => operationalRule(alert, options)) },
  ];
}

/** Returns the text of each file by its path. */
export function ruleFiles(options: RuleOptions = standardOptions): ReadonlyMap<string, string> {
  return new Map([
    [`${folder}/holdfast.sloth.yml`, yamlText(slothSpecification(options), ofSloth)],
    [`${folder}/rules/objectives.rules.yml`, yamlText({ groups: objectiveGroups(options) })],
    [`${folder}/rules/alerts.rules.yml`, yamlText({ groups: operationalGroups(options) })],
  ]);
}
