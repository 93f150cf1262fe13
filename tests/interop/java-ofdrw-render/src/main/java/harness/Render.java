package harness;

import java.awt.image.BufferedImage;
import java.io.File;
import java.nio.file.Path;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.ofdrw.converter.ImageMaker;
import org.ofdrw.reader.ContentExtractor;
import org.ofdrw.reader.OFDReader;

/** Reads an OFD file with ofdrw, prints what it finds, and draws each page as PNG: Render FILE FOLDER DOTS_PER_MM. */
public final class Render {
    private Render() {}

    public static void main(String[] arguments) throws Exception {
        System.setProperty("java.awt.headless", "true");
        Path file = Path.of(arguments[0]);
        int dotsPerMm = Integer.parseInt(arguments[2]);
        try (OFDReader reader = new OFDReader(file)) {
            int pages = reader.getNumberOfPages();
            System.out.println("pages=" + pages);
            System.out.println("attachments=" + reader.getAttachmentList().size());
            ContentExtractor extractor = new ContentExtractor(reader);
            ImageMaker maker = new ImageMaker(reader, dotsPerMm);
            for (int number = 1; number <= pages; number++) {
                String text = extractor.getPageContent(number).stream().collect(Collectors.joining());
                System.out.println("text." + number + "=" + text.replace("\n", ""));
                BufferedImage page = maker.makePage(number - 1);
                ImageIO.write(page, "png", new File(arguments[1], "page-" + number + ".png"));
            }
        }
    }
}
