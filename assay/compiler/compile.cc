#include "assay/compiler/compile.h"

namespace assay::compiler {

Ir compile(const Request& request, ResourceStore& resources, ThreadPool& pool) {
  Ir ir = build(request, resources);
  verify(ir, "build");
  fold_constants(ir, resources, pool);
  verify(ir, "fold_constants");
  share_common(ir);
  remove_dead(ir);
  verify(ir, "share_common");
  order_effects(ir);
  remove_dead(ir);
  verify(ir, "order_effects");
  schedule(ir);
  verify(ir, "schedule");
  plan_memory(ir);
  verify(ir, "plan_memory");
  return ir;
}

}  // namespace assay::compiler
