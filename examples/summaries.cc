// Scalar and histogram summaries, merged, run in the session and written to an event file that
// TensorBoard shows. Usage: summaries [FOLDER]
#include "assay/assay.h"

#include <fmt/core.h>

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "events";
  const assay::Variable w(assay::truncated_normal({100}, {.seed = 1}), {.name = "w"});
  assay::Output loss;
  {
    const assay::NameScope scope("loss");
    loss = assay::reduce_mean(assay::square(w - 3.0), {.name = "loss"});
  }
  auto* const train_op = assay::train::GradientDescentOptimizer(1.0).minimize(loss);
  {
    const assay::NameScope scope("summaries");
    assay::summary::scalar("loss", loss);
    assay::summary::histogram("weights", w);
  }
  const auto merged = assay::summary::merge_all();

  assay::Session session;
  session.run(assay::global_variables_initializer());
  assay::summary::FileWriter writer(folder, {.graph = &assay::current_graph()});
  for (int step = 0; step < 100; ++step) {
    const auto values = session.run({}, {merged, loss}, {train_op});
    writer.add_summary(values[0], step);
    if (step % 25 == 0) fmt::print("step {:3}  loss {:.6f}\n", step, values[1].item<float>());
  }
  writer.close();
  fmt::print("events in {}\n", writer.path());
}
