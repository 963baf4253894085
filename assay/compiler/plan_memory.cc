#include <algorithm>
#include <map>

#include "assay/compiler/passes.h"

namespace assay::compiler {
namespace {

constexpr std::int64_t kAlignment = 64;

std::int64_t padded(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::int64_t bytes_of(const Value& value) {
  return value.shape.num_elements() * static_cast<std::int64_t>(dtype_size(value.dtype));
}

// More than any machine holds; sums of sizes below it do not overflow.
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 47;

void check_size(const Instr& instr, const Value& value) {
  if (value.shape.num_elements() <= kMaxBytes / static_cast<std::int64_t>(dtype_size(value.dtype)))
    return;
  throw Error(Code::kResourceExhausted,
              fmt::format("{}: its output {} of shape {} is too large for any memory",
                          instr.node->label(), value.output_index, value.shape.str()),
              instr.node->name(), instr.node->place());
}

// Free places by offset; neighbours are joined.
class Arena {
 public:
  std::int64_t take(std::int64_t size) {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second >= size && (best == free_.end() || it->second < best->second)) best = it;
    }
    if (best == free_.end()) {
      std::int64_t offset = end_;
      if (!free_.empty()) {
        const auto last = std::prev(free_.end());
        if (last->first + last->second == end_) {
          offset = last->first;
          free_.erase(last);
        }
      }
      end_ = offset + size;
      return offset;
    }
    const auto [offset, room] = *best;
    free_.erase(best);
    if (room > size) free_[offset + size] = room - size;
    return offset;
  }

  void give_back(std::int64_t offset, std::int64_t size) {
    auto it = free_.emplace(offset, size).first;
    if (const auto next = std::next(it);
        next != free_.end() && it->first + it->second == next->first) {
      it->second += next->second;
      free_.erase(next);
    }
    if (it != free_.begin()) {
      const auto before = std::prev(it);
      if (before->first + before->second == it->first) {
        before->second += it->second;
        free_.erase(it);
      }
    }
  }

  std::int64_t end() const { return end_; }

 private:
  std::map<std::int64_t, std::int64_t> free_;
  std::int64_t end_ = 0;
};

// Whether a fused chain may write output `output` over input `input`: nobody reads the input once
// the output of the same block is written.
bool may_overwrite(const FusedChain& chain, std::size_t input, std::size_t output) {
  for (std::size_t op = static_cast<std::size_t>(chain.outputs[output]) + 1; op < chain.ops.size();
       ++op) {
    for (const int r : chain.ops[op].inputs) {
      if (r == static_cast<int>(input)) return false;
    }
  }
  return true;
}

// Whether output `output` may be written over `place`: element i of every input that lies in it, by
// whatever view, is read for element i of the output alone, and not once that is written. A row of
// the very matrix that is overwritten would be gone when the next row needs it.
bool may_take_place(const Ir& ir, const Instr& instr, ValueId place, std::size_t output) {
  for (std::size_t k = 0; k < instr.inputs.size(); ++k) {
    const ValueId v = instr.inputs[k];
    if (ir.root(v) != place) continue;
    if (bytes_of(ir.value(v)) != bytes_of(ir.value(place))) return false;
    if (instr.fused == nullptr) continue;
    const FusedChain& chain = *instr.fused;
    const auto& layout = chain.inputs[k];
    if (layout.inner_stride != 1 || (chain.outer > 1 && layout.outer_stride != chain.inner))
      return false;
    if (!may_overwrite(chain, k, output)) return false;
  }
  return true;
}

void choose_storage(Ir& ir) {
  for (const InstrId i : ir.order) {
    const Instr& instr = ir.instr(i);
    for (const ValueId v : instr.outputs) {
      Value& value = ir.value(v);
      if (value.storage != Storage::kUnset) continue;
      if (value.is_constant()) {
        value.storage = Storage::kConstant;
      } else if (value.alias_of >= 0 &&
                 (instr.kind != InstrKind::kNode || value.placed || value.variable != nullptr)) {
        value.storage = Storage::kView;
      } else if (value.alias_of < 0 && !value.fetched && value.shape.is_fully_defined() &&
                 value.dtype != DType::kString && value.dtype != DType::kResource &&
                 value.dtype != DType::kVariant && dtype_size(value.dtype) > 0) {
        value.storage = Storage::kPlanned;
        check_size(instr, value);
      } else {
        value.storage = Storage::kDynamic;
      }
    }
  }
}

}  // namespace

void plan_memory(Ir& ir) {
  choose_storage(ir);
  // The last step that touches each place, through whatever view.
  std::vector<int> last_use(ir.values.size(), -1);
  for (int at = 0; at < static_cast<int>(ir.order.size()); ++at) {
    const Instr& instr = ir.instr(ir.order[static_cast<std::size_t>(at)]);
    for (const ValueId v : instr.inputs) last_use[static_cast<std::size_t>(ir.root(v))] = at;
    for (const ValueId v : instr.outputs) last_use[static_cast<std::size_t>(ir.root(v))] = at;
  }
  Arena arena;
  std::vector<std::vector<ValueId>> dies(ir.order.size());
  std::vector<char> handed_on(ir.values.size(), 0);
  std::vector<char> allocated(ir.values.size(), 0);
  for (int at = 0; at < static_cast<int>(ir.order.size()); ++at) {
    const Instr& instr = ir.instr(ir.order[static_cast<std::size_t>(at)]);
    const bool in_place = instr.kind == InstrKind::kFused ||
                          (instr.kind == InstrKind::kNode && instr.node->def()->in_place);
    for (std::size_t o = 0; o < instr.outputs.size(); ++o) {
      const ValueId output = instr.outputs[o];
      // A part of a join takes the whole join's place with it.
      const ValueId v = ir.value(output).placed ? ir.root(output) : output;
      Value& value = ir.value(v);
      if (value.storage != Storage::kPlanned || allocated[static_cast<std::size_t>(v)] != 0)
        continue;
      allocated[static_cast<std::size_t>(v)] = 1;
      const std::int64_t size = padded(std::max<std::int64_t>(bytes_of(value), 1));
      bool placed = false;
      for (std::size_t k = 0; in_place && !placed && v == output && k < instr.inputs.size(); ++k) {
        const ValueId r = ir.root(instr.inputs[k]);
        Value& input = ir.value(r);
        if (input.storage == Storage::kPlanned && last_use[static_cast<std::size_t>(r)] == at &&
            handed_on[static_cast<std::size_t>(r)] == 0 && bytes_of(input) == bytes_of(value) &&
            dtype_size(input.dtype) == dtype_size(value.dtype) && may_take_place(ir, instr, r, o)) {
          value.offset = input.offset;
          handed_on[static_cast<std::size_t>(r)] = 1;
          placed = true;
        }
      }
      if (!placed) {
        value.offset = arena.take(size);
        if (arena.end() > kMaxBytes) {
          fail(Code::kResourceExhausted, "{}: with its output {} the program needs {} bytes",
               instr.node->label(), value.output_index, arena.end());
        }
      }
      dies[static_cast<std::size_t>(last_use[static_cast<std::size_t>(v)])].push_back(v);
    }
    for (const ValueId v : dies[static_cast<std::size_t>(at)]) {
      if (handed_on[static_cast<std::size_t>(v)] != 0) continue;
      arena.give_back(ir.value(v).offset, padded(std::max<std::int64_t>(bytes_of(ir.value(v)), 1)));
    }
  }
  ir.arena_size = arena.end();
}

}  // namespace assay::compiler
