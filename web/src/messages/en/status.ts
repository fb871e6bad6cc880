// How a request went.
export default {
  ok: "OK",
  cached: "Cached",
  inFlight: "In flight",
  rateLimited: "Rate-limited",
  blocked: "Blocked",
  providerError: "Provider error",
  clientError: "Client error",
  cancelled: "Cancelled",
};
