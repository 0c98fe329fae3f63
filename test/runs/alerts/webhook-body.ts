/** The body of a webhook of Alertmanager, as far as it is read here. */
export interface WebhookBody {
  readonly alerts: readonly {
    readonly status: string;
    readonly startsAt: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}
