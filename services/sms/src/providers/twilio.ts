/** Twilio, through its SDK. */
import { Refusal } from "@parley/protocol";
import twilio from "twilio";
import type { Outcome } from "../state.ts";
import { type Callback, type CallbackRequest, outcomeOfError, outcomeOfStatus, type Provider } from "./provider.ts";

export interface TwilioOptions {
  accountSid: string;
  authToken: string;
  /** A number of ours in E.164, or the sid of a messaging service (`MG…`). */
  from: string;
  /** Where Twilio reaches this service's callbacks, as Twilio sees it: `https://sms.example.com`. Null: it does not. */
  publicUrl: string | null;
  /** Instead of https://api.twilio.com. */
  apiUrl: string | null;
  timeoutMs: number;
}

export const twilioCallbackPath = "/v1/callbacks/twilio";

export function createTwilio(options: TwilioOptions): Provider {
  const { accountSid, authToken, from, publicUrl, apiUrl, timeoutMs } = options;
  const httpClient = new twilio.RequestClient({ timeout: timeoutMs, autoRetry: false });
  if (apiUrl !== null) {
    const request = httpClient.request.bind(httpClient);
    httpClient.request = (asked) => request({ ...asked, uri: asked.uri.replace("https://api.twilio.com", apiUrl) });
  }
  const client = twilio(accountSid, authToken, { httpClient });
  const sender = from.startsWith("MG") ? { messagingServiceSid: from } : { from };

  return {
    name: "twilio",
    async send({ id, to, text }) {
      try {
        const callback = publicUrl === null ? {} : { statusCallback: `${publicUrl}${twilioCallbackPath}?id=${id}` };
        const message = await client.messages.create({ to, body: text, ...sender, ...callback });
        return { kind: "accepted", providerId: message.sid };
      } catch (error) {
        if (error instanceof twilio.RestException)
          return outcomeOfStatus(error.status, `${error.code} ${error.message}`);
        return outcomeOfError(error);
      }
    },
    async lookUp({ to, text, sinceMs }) {
      // A minute earlier than our clock says, in case Twilio's is behind.
      const list = await client.messages.list({ to, dateSentAfter: new Date(sinceMs - 60_000), limit: 50 });
      const found = list.find(({ body }) => body === text);
      // One that is not in the list yet may come: only a receipt, or a person, can say more.
      return found ? { kind: "accepted", providerId: found.sid } : null;
    },
    readCallback(request) {
      const params = Object.fromEntries(new URLSearchParams(request.body));
      const signature = request.header("x-twilio-signature") ?? "";
      if (publicUrl === null || !twilio.validateRequest(authToken, signature, publicUrl + request.path, params))
        throw new Refusal(
          "forbidden",
          "The header X-Twilio-Signature is not Twilio's signature of this request: are TWILIO_AUTH_TOKEN and SMS_PUBLIC_URL right?",
        );
      return readCallback(request, params);
    },
  };
}

function readCallback({ path }: CallbackRequest, params: Record<string, string>): Callback[] {
  const { MessageStatus: status, MessageSid: providerId = null, From: from, Body: text } = params;
  if (status === undefined) {
    if (from === undefined || text === undefined)
      throw new Refusal("bad_request", "Neither MessageStatus nor From and Body are there");
    return [{ kind: "incoming", from, text }];
  }
  const outcome = outcomeOf(status, params.ErrorCode);
  const id = new URLSearchParams(path.split("?")[1]).get("id");
  return outcome ? [{ kind: "receipt", id, providerId, outcome: withId(outcome, providerId) }] : [];
}

function outcomeOf(status: string, errorCode: string | undefined): Outcome | null {
  switch (status) {
    case "accepted":
    case "scheduled":
    case "queued":
    case "sending":
    case "sent":
      return { kind: "accepted", providerId: null };
    case "delivered":
    case "read":
      return { kind: "delivered" };
    case "failed":
    case "undelivered":
    case "canceled":
      return { kind: "undelivered", error: `Twilio says: ${status}${errorCode ? `, error ${errorCode}` : ""}` };
    default:
      return null;
  }
}

const withId = (outcome: Outcome, providerId: string | null): Outcome =>
  outcome.kind === "accepted" ? { kind: "accepted", providerId } : outcome;
