export default {
  select: "选择第 {n} 行",
  selectAll: "选择所有已加载的行",
};
