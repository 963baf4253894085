// An initialisable iterator: it ends with OutOfRange and can be initialised again.
#include "assay/assay.h"

#include <fmt/core.h>

int main() {
  const auto features = assay::Tensor::of<float>({1, 2, 3, 4, 5});
  const auto labels = assay::Tensor::of<std::int32_t>({10, 20, 30, 40, 50});
  const auto dataset = assay::data::Dataset::from_tensor_slices({features, labels}).batch(2);
  const auto iterator = dataset.make_initializable_iterator();
  const auto [x, y] = iterator.get_next<2>();
  const auto total = assay::reduce_sum(x);

  assay::Session session;
  for (int epoch = 1; epoch <= 2; ++epoch) {
    session.run(iterator.initializer());
    try {
      while (true) {
        const auto batch = session.run({x, y, total});
        fmt::print("epoch {}: {} {} sum {}\n", epoch, batch[0].str(), batch[1].str(),
                   batch[2].item<float>());
      }
    } catch (const assay::Error& error) {
      if (error.code() != assay::Code::kOutOfRange) throw;
      fmt::print("epoch {} ended: {}\n", epoch, error.what());
    }
  }
}
