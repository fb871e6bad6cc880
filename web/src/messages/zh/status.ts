export default {
  ok: "成功",
  cached: "命中缓存",
  inFlight: "进行中",
  rateLimited: "被限速",
  blocked: "已拦截",
  providerError: "提供商错误",
  clientError: "客户端错误",
  cancelled: "已取消",
};
