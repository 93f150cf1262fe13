package harness;

import com.google.zxing.BinaryBitmap;
import com.google.zxing.DecodeHintType;
import com.google.zxing.Result;
import com.google.zxing.ResultMetadataType;
import com.google.zxing.client.j2se.BufferedImageLuminanceSource;
import com.google.zxing.common.HybridBinarizer;
import com.google.zxing.qrcode.QRCodeReader;
import java.io.File;
import java.util.Map;
import javax.imageio.ImageIO;

/** Reads the one QR code in a picture: `level=` its error correction, `text=` what it says. */
public final class ReadQr {
    private ReadQr() {}

    public static void main(String[] arguments) throws Exception {
        var picture = ImageIO.read(new File(arguments[0]));
        var bitmap = new BinaryBitmap(new HybridBinarizer(new BufferedImageLuminanceSource(picture)));
        Result found = new QRCodeReader().decode(bitmap, Map.of(DecodeHintType.TRY_HARDER, true));
        System.out.println("level=" + found.getResultMetadata().get(ResultMetadataType.ERROR_CORRECTION_LEVEL));
        System.out.println("text=" + found.getText());
    }
}
