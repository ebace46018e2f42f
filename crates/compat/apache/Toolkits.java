import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.zookeeper.util.ServiceUtils;

/**
 * Runs Apache's file tools many times in one virtual machine: each start of one costs a second, and what they do to a file only
 * milliseconds.
 *
 * <p>The argument is a folder with one folder for each run, in which the file `arguments` has the class and then its arguments, one a
 * line, and `input` what it reads. Each is given `stdout`, `stderr` and `code`, as if it had been a process of its own.
 */
public final class Toolkits {
    /** Thrown where the tool asks for the end of the process. */
    private static final class Exit extends Error {
        private final int code;

        private Exit(int code) {
            super(null, null, false, false);
            this.code = code;
        }
    }

    public static void main(String[] arguments) throws Exception {
        ServiceUtils.setSystemExitProcedure(code -> {
            throw new Exit(code);
        });
        try (var runs = Files.list(Path.of(arguments[0]))) {
            for (Path run : (Iterable<Path>) runs.sorted()::iterator) {
                run(run);
            }
        }
    }

    private static void run(Path folder) throws Exception {
        String[] lines = Files.readString(folder.resolve("arguments")).split("\n");
        String[] arguments = java.util.Arrays.copyOfRange(lines, 1, lines.length);
        System.setIn(new ByteArrayInputStream(Files.readAllBytes(folder.resolve("input"))));
        var stdout = new ByteArrayOutputStream();
        var stderr = new ByteArrayOutputStream();
        System.setOut(new PrintStream(stdout, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(stderr, true, StandardCharsets.UTF_8));
        int code = 0;
        try {
            Class<?> tool = Class.forName(lines[0]);
            resetInodes(tool);
            tool.getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException error) {
            if (error.getCause() instanceof Exit exit) {
                code = exit.code;
            } else {
                // What the virtual machine does with an exception that nobody catches.
                System.err.print("Exception in thread \"main\" ");
                error.getCause().printStackTrace();
                code = 1;
            }
        }
        Files.write(folder.resolve("stdout"), stdout.toByteArray());
        Files.write(folder.resolve("stderr"), stderr.toByteArray());
        Files.writeString(folder.resolve("code"), String.valueOf(code));
    }

    /** A process of its own starts to count at a thousand. */
    private static void resetInodes(Class<?> tool) throws Exception {
        if (tool.getSimpleName().equals("SnapshotFormatter")) {
            Field inodes = tool.getDeclaredField("INODE_IDX");
            inodes.setAccessible(true);
            inodes.set(null, 1000);
        }
    }
}
