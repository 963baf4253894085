// A Saver that writes a checkpoint every 1000 steps, numbered by a global_step that minimize()
// increments. Usage: checkpointing [FOLDER]
#include "assay/assay.h"

#include <fmt/core.h>

#include <filesystem>

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "checkpoints";
  std::filesystem::create_directories(folder);
  const assay::Variable global_step(assay::constant(0),
                                    {.trainable = false, .name = "global_step"});
  const assay::Variable w(assay::constant(5.0), {.name = "w"});
  const auto loss = assay::square(w - 1, {.name = "loss"});
  auto* const train_op =
      assay::train::GradientDescentOptimizer(0.001).minimize(loss, {.global_step = global_step});

  assay::train::Saver saver;
  assay::Session session;
  session.run(assay::global_variables_initializer());
  const auto step = session.make_callable({.targets = {train_op}});
  for (int i = 1; i <= 3000; ++i) {
    step();
    if (i % 1000 == 0) {
      const auto prefix =
          saver.save(session, folder + "/model.ckpt",
                     {.global_step = session.run(global_step).item<std::int32_t>()});
      fmt::print("saved {}  loss {:.6f}\n", prefix, session.run(loss).item<float>());
    }
  }
}
