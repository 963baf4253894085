#include <atomic>
#include <cstdio>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

std::string summarize(const KernelContext& ctx, std::int64_t elements) {
  std::string text;
  for (int i = 1; i < ctx.num_inputs(); ++i) {
    const Tensor& t = ctx.input(i);
    const std::int64_t most = elements < 0 ? t.num_elements() : elements;
    // A message and nothing else reads best as it is.
    const bool plain = t.dtype() == DType::kString && t.num_elements() == 1;
    text += fmt::format("[{}]", plain ? t.data<std::string>()[0] : t.str(most));
  }
  return text;
}

class Assert : public Kernel {
 public:
  explicit Assert(const KernelInit& init) : summarize_(init.attr<std::int64_t>("summarize")) {}
  void run(KernelContext& ctx) override {
    if (ctx.input(0).num_elements() != 1) {
      invalid_argument("the condition must be a scalar, got {}", ctx.input(0).shape().str());
    }
    if (!ctx.in<bool>(0)[0]) invalid_argument("assertion failed: {}", summarize(ctx, summarize_));
  }

 private:
  std::int64_t summarize_;
};

class Print : public Kernel {
 public:
  explicit Print(const KernelInit& init)
      : message_(init.attr<std::string>("message")),
        first_n_(init.attr<std::int64_t>("first_n")),
        summarize_(init.attr<std::int64_t>("summarize")) {}
  void run(KernelContext& ctx) override {
    ctx.set_output(0, ctx.input(0));
    if (first_n_ >= 0 && printed_++ >= first_n_) return;
    const std::string line = message_ + summarize(ctx, summarize_) + "\n";
    std::fputs(line.c_str(), stderr);
  }

 private:
  std::string message_;
  std::int64_t first_n_;
  std::int64_t summarize_;
  std::atomic<std::int64_t> printed_{0};
};

}  // namespace

void register_debug(OpRegistry& registry) {
  registry.add({.name = "Assert",
                .doc = "InvalidArgument with the data when the condition is false.",
                .inputs = {"condition: bool", "data: T"},
                .attrs = {"T: list(type)", "summarize: int = 3"},
                .effect = Effect::kWrites,
                .shape = shapes::no_output,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<Assert>}}});
  registry.add({.name = "Print",
                .doc = "Its input; prints the data to standard error.",
                .inputs = {"input: T", "data: U"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "U: list(type) >= 0", "message: string = ''",
                          "first_n: int = -1", "summarize: int = 3"},
                .effect = Effect::kWrites,
                .shape = shapes::unchanged,
                .gradient = [](GradientContext& g) { g.set(0, g.raw_grad()); },
                .kernels = {{DType::kInvalid, make_kernel<Print>}}});
}

}  // namespace assay
