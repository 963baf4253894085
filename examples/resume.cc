// Goes on from the newest checkpoint if there is one, else begins anew: run it twice.
// Usage: resume [FOLDER]
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
  if (const auto state = assay::train::get_checkpoint_state(folder)) {
    saver.restore(session, state->model_checkpoint_path);
    fmt::print("restored {}\n", state->model_checkpoint_path);
  } else {
    fmt::print("no checkpoint in {}: starting anew\n", folder);
  }
  const int first = session.run(global_step).item<std::int32_t>();
  const auto step = session.make_callable({.targets = {train_op}});
  for (int i = 0; i < 1000; ++i) step();
  const int last = session.run(global_step).item<std::int32_t>();
  saver.save(session, folder + "/model.ckpt", {.global_step = last});
  fmt::print("steps {} to {}  loss {:.6f}\n", first, last, session.run(loss).item<float>());
}
