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
  simplify(ir);
  remove_dead(ir);
  verify(ir, "simplify");
  order_effects(ir);
  bypass_views(ir);
  remove_dead(ir);
  verify(ir, "order_effects");
  fuse_elementwise(ir);
  remove_dead(ir);
  verify(ir, "fuse_elementwise");
  place_parts(ir);
  verify(ir, "place_parts");
  schedule(ir);
  verify(ir, "schedule");
  plan_memory(ir);
  verify(ir, "plan_memory");
  return ir;
}

}  // namespace assay::compiler
