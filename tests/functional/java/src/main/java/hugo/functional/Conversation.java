package hugo.functional;

import io.temporal.failure.ApplicationFailure;
import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.util.ArrayList;
import java.util.List;

/** Hears words by signal and by update until the word is "end"; the query tells them. */
@WorkflowInterface
public interface Conversation {
  @WorkflowMethod
  String run();

  @QueryMethod
  String heard(String separator);

  @SignalMethod
  void say(String word);

  @UpdateMethod
  int tell(String word);

  @UpdateValidatorMethod(updateName = "tell")
  void checkTell(String word);

  final class Code implements Conversation {
    private final List<String> heard = new ArrayList<>();

    @Override
    public String run() {
      Workflow.await(() -> !heard.isEmpty() && heard.get(heard.size() - 1).equals("end"));
      return String.join(" ", heard);
    }

    @Override
    public String heard(String separator) {
      if (separator.isEmpty()) {
        throw new IllegalArgumentException("a separator is needed");
      }
      return String.join(separator, heard);
    }

    @Override
    public void say(String word) {
      heard.add(word);
    }

    @Override
    public int tell(String word) {
      if (word.equals("cough")) {
        throw ApplicationFailure.newFailure("bless you", "Cough");
      }
      heard.add(word);
      return heard.size();
    }

    @Override
    public void checkTell(String word) {
      if (word.isEmpty()) {
        throw new IllegalArgumentException("silence");
      }
    }
  }
}
